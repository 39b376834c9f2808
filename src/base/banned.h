/* banned.h - calls that this project does not make; using one fails to compile. Included by the
 * build into every C file. System headers that mention them are listed first. */
#ifndef LLMEVAL_BANNED_H
#define LLMEVAL_BANNED_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol atoll atof gets rand srand \
    localtime gmtime

#endif
