/* layer 1.1: sandbox: its word; what it means is in sandbox.h */
#include "system/sandbox.h"

_Atomic(uint32_t) sandbox_word;
