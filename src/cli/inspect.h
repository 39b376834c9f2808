/* inspect.h - the sub-commands of `llmeval inspect`, one file each: cmd_inspect_<what>.c. argv
 * holds what follows the sub-command's name. */
#pragma once

int cmd_inspect_tokens(int argc, char **argv);
int cmd_inspect_prompt(int argc, char **argv);
int cmd_inspect_template(int argc, char **argv);
int cmd_inspect_logits(int argc, char **argv);
