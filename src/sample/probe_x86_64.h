/* layer 4.4: probe for x86-64: where the ABI has a function's arguments */
#ifndef LANE_PROBE_ARCH_H
#define LANE_PROBE_ARCH_H

#define PROBE_ARGUMENT_1 "rdi"
#define PROBE_ARGUMENT_2 "rsi"
#define PROBE_ARGUMENT_3 "rdx"
/* 8 bytes without a sign in that register, as the note has it. */
#define PROBE_REGISTER(name) "8@%%" name

#endif
