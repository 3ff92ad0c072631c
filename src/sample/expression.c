/* layer 4.5: expression: where a register is; contract in expression.h */
#include "sample/expression.h"

#include "sample/code.h"

#define DEPTH 8

struct machine {
	uint64_t stack[DEPTH];
	unsigned nr;
	bool bad;
};

static void push(struct machine *m, uint64_t value)
{
	if (m->nr == DEPTH)
		m->bad = true;
	else
		m->stack[m->nr++] = value;
}

static uint64_t pop(struct machine *m)
{
	if (m->nr)
		return m->stack[--m->nr];
	m->bad = true;
	return 0;
}

/* Pushes a number that stands in the text. */
static bool run_constant(struct machine *m, struct code *code, unsigned op)
{
	unsigned size = 1u << ((op - 0x08) / 2 & 3);

	if (op >= 0x30 && op <= 0x4f) /* lit */
		push(m, op - 0x30);
	else if (op >= 0x08 && op <= 0x0f) /* const1u to const8s */
		push(m, op & 1 ? (uint64_t)code_signed(code, size) :
				 code_bytes(code, size));
	else if (op == 0x10) /* constu */
		push(m, code_uleb(code));
	else if (op == 0x11) /* consts */
		push(m, (uint64_t)code_sleb(code));
	else
		return false;
	return true;
}

/* Makes one word of two. */
static bool run_binary(struct machine *m, unsigned op)
{
	uint64_t b, a;

	if (op != 0x1a && op != 0x1c && op != 0x21 && op != 0x22 &&
	    op != 0x24 && op != 0x2a)
		return false;
	b = pop(m);
	a = pop(m);
	/* clang-format off */
	switch (op) {
	case 0x1a: push(m, a & b); break;
	case 0x1c: push(m, a - b); break;
	case 0x21: push(m, a | b); break;
	case 0x22: push(m, a + b); break;
	case 0x24: push(m, b < 64 ? a << b : 0); break;
	case 0x2a: push(m, (int64_t)a >= (int64_t)b); break;
	}
	return true;
	/* clang-format on */
}

static void run_register(struct machine *m, struct code *code, unsigned reg,
			 const struct frame *frame)
{
	int64_t offset = code_sleb(code);

	m->bad |= !frame_knows(frame, reg) && reg != FRAME_RA;
	push(m, (reg == FRAME_RA && !frame_knows(frame, reg) ?
			 frame->pc :
			 frame->r[reg % FRAME_REGS_MOST]) +
			(uint64_t)offset);
}

static void run_one(struct machine *m, struct code *code,
		    const struct frame *frame, struct memory *memory)
{
	unsigned op = (unsigned)code_bytes(code, 1);
	uint64_t word = 0;

	if (run_constant(m, code, op) || run_binary(m, op))
		return;
	if (op >= 0x70 && op <= 0x8f) { /* breg */
		run_register(m, code, op - 0x70, frame);
	} else if (op == 0x06) { /* deref */
		m->bad |= !memory_read(memory, pop(m), &word);
		push(m, word);
	} else if (op == 0x12) { /* dup */
		word = pop(m);
		push(m, word);
		push(m, word);
	} else if (op == 0x23) { /* plus_uconst */
		push(m, pop(m) + code_uleb(code));
	} else {
		m->bad = true;
	}
}

/* The sum that linkers use of the return address's register is the address
 * itself: it is no register of the frame's. */
bool expression_value(const unsigned char *at, const struct frame *frame,
		      struct memory *memory, const uint64_t *initial,
		      uint64_t *out)
{
	struct code code = { at, at + 10, false };
	struct machine m = { .nr = 0 };
	uint64_t size = code_uleb(&code);

	code.end = code.at + size;
	if (initial)
		push(&m, *initial);
	while (code.at < code.end && !code.bad && !m.bad)
		run_one(&m, &code, frame, memory);
	*out = pop(&m);
	return !m.bad && !code.bad;
}
