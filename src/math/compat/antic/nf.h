/* nf.h - stands in for Antic's header where only its library is installed: Debian's libcalcium-dev
 * includes it without depending on libantic-dev. Calcium's interface needs the name of the field
 * type alone. The build searches this folder after the system's, so a real header wins. */
#pragma once

typedef struct antic_nf_struct nf_struct;
