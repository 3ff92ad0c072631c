/* raw: the system calls of handlers, as all of stress/ has them */
#ifndef SWEEP_RAW_H
#define SWEEP_RAW_H

#include "../harness/raw.h"

#endif
