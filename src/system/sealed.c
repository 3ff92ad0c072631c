/* layer 1.1: sealed: the page */
#include "system/sealed.h"

union sealed sealed __attribute__((aligned(SYSCALL_PAGE_SIZE_MOST)));
