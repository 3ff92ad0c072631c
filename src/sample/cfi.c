/* layer 4.6: CFI: from a function's frame to its caller's, by .eh_frame;
 * contract in cfi.h */
#include "sample/cfi.h"

#include "sample/expression.h"
#include "sample/rules.h"

#define NR_REMEMBERED 2

/* How the caller's value of a register is found. */
enum rule {
	RULE_SAME,	 /* as it is */
	RULE_UNDEFINED,	 /* it has none */
	RULE_SAVED,	 /* at CFA + value */
	RULE_OFFSET,	 /* CFA + value */
	RULE_REGISTER,	 /* in register `value` */
	RULE_SAVED_EXPR, /* where the expression at base + value says */
	RULE_EXPR,	 /* what that says */
};

/* The rules at one address. The canonical frame address (CFA): the stack
 * pointer before the call. */
struct row {
	int32_t value[FRAME_NR_REGS];
	uint8_t rule[FRAME_NR_REGS];
	uint8_t cfa_rule; /* RULE_OFFSET: cfa_reg + cfa_value, or RULE_EXPR */
	uint8_t cfa_reg;
	int32_t cfa_value;
};

struct program {
	struct row now, initial, remembered[NR_REMEMBERED];
	unsigned nr_remembered, nr_steps;
	uint64_t at, until; /* addresses */
	const struct fde *fde;
};

/* Registers that are not followed have rules, too. */
static void rule_set(struct program *p, uint64_t reg, enum rule rule,
		     int64_t value)
{
	if (reg >= FRAME_NR_REGS)
		return;
	p->now.rule[reg] = (uint8_t)rule;
	p->now.value[reg] = (int32_t)value;
}

static void rule_restore(struct program *p, uint64_t reg)
{
	if (reg < FRAME_NR_REGS)
		rule_set(p, reg, p->initial.rule[reg], p->initial.value[reg]);
}

static void cfa_set(struct program *p, uint64_t reg, int64_t value)
{
	p->now.cfa_rule = RULE_OFFSET;
	p->now.cfa_reg = (uint8_t)(reg < FRAME_NR_REGS ? reg : FRAME_NR_REGS);
	p->now.cfa_value = (int32_t)value;
}

/* Steps over an expression; its place as a rule has it. */
static int64_t expression_skip(struct program *p, struct code *code)
{
	int64_t place = code->at - p->fde->base;
	uint64_t size = code_uleb(code);

	if (size > (uint64_t)(code->end - code->at))
		code->bad = true;
	else
		code->at += size;
	return place;
}

static void remember(struct program *p, struct code *code)
{
	if (p->nr_remembered == NR_REMEMBERED) {
		code->bad = true;
		return;
	}
	p->remembered[p->nr_remembered++] = p->now;
}

static void recall(struct program *p, struct code *code)
{
	if (!p->nr_remembered) {
		code->bad = true;
		return;
	}
	p->now = p->remembered[--p->nr_remembered];
}

/* Runs instructions that say what the CFA is. False: it is another one. */
static bool run_cfa(struct program *p, struct code *code, unsigned op)
{
	int64_t align = p->fde->data_align;
	uint64_t reg;

	switch (op) {
	case 0x0c: /* def_cfa */
		reg = code_uleb(code);
		cfa_set(p, reg, (int64_t)code_uleb(code));
		return true;
	case 0x0d: /* def_cfa_register */
		cfa_set(p, code_uleb(code), p->now.cfa_value);
		return true;
	case 0x0e: /* def_cfa_offset */
		cfa_set(p, p->now.cfa_reg, (int64_t)code_uleb(code));
		return true;
	case 0x0f: /* def_cfa_expression */
		p->now.cfa_rule = RULE_EXPR;
		p->now.cfa_value = (int32_t)expression_skip(p, code);
		return true;
	case 0x12: /* def_cfa_sf */
		reg = code_uleb(code);
		cfa_set(p, reg, code_sleb(code) * align);
		return true;
	case 0x13: /* def_cfa_offset_sf */
		cfa_set(p, p->now.cfa_reg, code_sleb(code) * align);
		return true;
	}
	return false;
}

/* Runs those that say where a register is. */
static bool run_register(struct program *p, struct code *code, unsigned op)
{
	int64_t align = p->fde->data_align;
	uint64_t reg = op == 0x0a || op == 0x0b || op >= 0x17 ? 0 :
								code_uleb(code);

	switch (op) {
	case 0x05: /* offset_extended */
		rule_set(p, reg, RULE_SAVED, (int64_t)code_uleb(code) * align);
		return true;
	case 0x06: /* restore_extended */
		rule_restore(p, reg);
		return true;
	case 0x07: /* undefined */
		rule_set(p, reg, RULE_UNDEFINED, 0);
		return true;
	case 0x08: /* same_value */
		rule_set(p, reg, RULE_SAME, 0);
		return true;
	case 0x09: /* register */
		rule_set(p, reg, RULE_REGISTER, (int64_t)code_uleb(code));
		return true;
	case 0x10: /* expression */
		rule_set(p, reg, RULE_SAVED_EXPR, expression_skip(p, code));
		return true;
	case 0x11: /* offset_extended_sf */
		rule_set(p, reg, RULE_SAVED, code_sleb(code) * align);
		return true;
	case 0x14: /* val_offset */
		rule_set(p, reg, RULE_OFFSET, (int64_t)code_uleb(code) * align);
		return true;
	case 0x15: /* val_offset_sf */
		rule_set(p, reg, RULE_OFFSET, code_sleb(code) * align);
		return true;
	case 0x16: /* val_expression */
		rule_set(p, reg, RULE_EXPR, expression_skip(p, code));
		return true;
	}
	return false;
}

static void run_other(struct program *p, struct code *code, unsigned op)
{
	switch (op) {
	case 0x00: /* nop */
	case 0x2d: /* the return address is signed: frame_code() strips it */
		return;
	case 0x01: /* set_loc */
		p->at = code_pointer(code, p->fde->encoding,
				     (uintptr_t)p->fde->base);
		return;
	case 0x02: /* advance_loc1, 2, 4 */
	case 0x03:
	case 0x04:
		p->at += code_bytes(code, 1u << (op - 2)) * p->fde->code_align;
		return;
	case 0x0a:
		remember(p, code);
		return;
	case 0x0b:
		recall(p, code);
		return;
	case 0x2e: /* GNU_args_size */
		code_uleb(code);
		return;
	}
	code->bad = true;
}

/* Runs one instruction. */
static void run_one(struct program *p, struct code *code)
{
	unsigned op = (unsigned)code_bytes(code, 1), low = op & 0x3f;

	switch (op >> 6) {
	case 1: /* advance_loc */
		p->at += low * p->fde->code_align;
		return;
	case 2: /* offset */
		rule_set(p, low, RULE_SAVED,
			 (int64_t)code_uleb(code) * p->fde->data_align);
		return;
	case 3: /* restore */
		rule_restore(p, low);
		return;
	}
	if (run_cfa(p, code, op))
		return;
	if (op >= 0x05 && op <= 0x16 && op != 0x0a && op != 0x0b)
		run_register(p, code, op);
	else
		run_other(p, code, op);
}

static bool run(struct program *p, struct code code)
{
	while (code.at < code.end && !code.bad && p->at <= p->until &&
	       p->nr_steps++ < CFI_STEPS_MOST)
		run_one(p, &code);
	return !code.bad && p->nr_steps < CFI_STEPS_MOST;
}

/* Finds the rules for an address of the function. */
static bool row_find(struct program *p, const struct fde *fde, uint64_t pc)
{
	__builtin_memset(&p->now, 0, sizeof(p->now));
	p->nr_remembered = p->nr_steps = 0;
	p->fde = fde;
	p->at = fde->begin;
	p->until = pc;
	if (!run(p, fde->initial))
		return false;
	p->initial = p->now;
	return run(p, fde->own);
}

static bool cfa_find(const struct program *p, const struct frame *frame,
		     struct memory *memory, uint64_t *cfa)
{
	const struct row *row = &p->now;

	if (row->cfa_rule == RULE_EXPR)
		return expression_value(p->fde->base + row->cfa_value, frame,
					memory, NULL, cfa);
	if (!frame_knows(frame, row->cfa_reg))
		return false;
	*cfa = frame->r[row->cfa_reg] + (uint64_t)(int64_t)row->cfa_value;
	return true;
}

/* Finds the caller's value of a register; false: it is not known. */
static bool register_find(const struct program *p, unsigned reg,
			  const struct frame *frame, struct memory *memory,
			  uint64_t cfa, uint64_t *out)
{
	int64_t value = p->now.value[reg];

	switch ((enum rule)p->now.rule[reg]) {
	case RULE_SAME:
		*out = frame->r[reg];
		return frame_knows(frame, reg);
	case RULE_UNDEFINED:
		return false;
	case RULE_SAVED:
		return memory_read(memory, cfa + (uint64_t)value, out);
	case RULE_OFFSET:
		*out = cfa + (uint64_t)value;
		return true;
	case RULE_REGISTER:
		if (!frame_knows(frame, (unsigned)value))
			return false;
		*out = frame->r[value];
		return true;
	case RULE_SAVED_EXPR:
		return expression_value(p->fde->base + value, frame, memory,
					&cfa, out) &&
		       memory_read(memory, *out, out);
	case RULE_EXPR:
		return expression_value(p->fde->base + value, frame, memory,
					&cfa, out);
	}
	return false;
}

/* What a function may change is the caller's no more, but where a signal
 * interrupted it. */
static bool is_followed(const struct program *p, unsigned reg)
{
	return p->now.rule[reg] != RULE_SAME || p->fde->interrupted ||
	       FRAME_KEPT >> reg & 1;
}

static enum cfi_result frame_leave(const struct program *p, struct frame *frame,
				   struct memory *memory)
{
	struct frame caller;
	uint64_t cfa, pc;
	unsigned reg;

	if (p->fde->ra < FRAME_NR_REGS &&
	    p->now.rule[p->fde->ra] == RULE_UNDEFINED)
		return CFI_END;
	if (p->fde->ra >= FRAME_NR_REGS || !cfa_find(p, frame, memory, &cfa) ||
	    !register_find(p, p->fde->ra, frame, memory, cfa, &pc))
		return CFI_BAD;
	caller.known = 0;
	frame_set(&caller, FRAME_SP, cfa);
	for (reg = 0; reg < FRAME_NR_REGS; reg++) {
		uint64_t value;

		if ((reg != FRAME_SP || p->now.rule[reg] != RULE_SAME) &&
		    is_followed(p, reg) &&
		    register_find(p, reg, frame, memory, cfa, &value))
			frame_set(&caller, reg, value);
	}
	caller.pc = frame_code(pc);
	caller.exact = p->fde->interrupted;
	*frame = caller;
	return CFI_STEPPED;
}

/* Packs a register's place below the CFA in words; 0: it is as it was. Beyond
 * RULES_REG_MOST: one word cannot say it. */
static uint64_t place_pack(const struct row *row, unsigned reg)
{
	int32_t value = row->value[reg];

	if (row->rule[reg] == RULE_SAME)
		return 0;
	if (row->rule[reg] != RULE_SAVED || value >= 0 || value % 8)
		return RULES_REG_MOST + 1;
	return (uint64_t)-value / 8;
}

static const uint8_t packed[] = FRAME_PACKED;
#define NR_PACKED sizeof(packed)
_Static_assert(RULES_PLACE_RA == 0 && RULES_PLACE_FP == 1,
	       "every FRAME_PACKED begins with these two");

/* RULES_NONE: one word cannot say it. */
static uint64_t row_pack(const struct program *p)
{
	const struct row *row = &p->now;
	uint64_t rule = (uint64_t)row->cfa_value / 8, place;
	unsigned i, nr_same = 0;

	if (p->fde->interrupted || p->fde->ra != FRAME_RA ||
	    row->cfa_rule != RULE_OFFSET || row->cfa_value % 8 ||
	    rule > RULES_DISTANCE_MOST ||
	    (row->cfa_reg != FRAME_SP && row->cfa_reg != FRAME_FP))
		return RULES_NONE;
	rule |= row->cfa_reg == FRAME_FP ? RULES_FRAME_POINTER : 0;
	for (i = 0; i < NR_PACKED; i++) {
		place = place_pack(row, packed[i]);
		if (place > RULES_REG_MOST)
			return RULES_NONE;
		nr_same += !place;
		rule |= place << (RULES_REGS + RULES_REG_BITS * i);
	}
	for (i = 0; i < FRAME_NR_REGS; i++)
		nr_same -= row->rule[i] == RULE_SAME;
	/* All others are as they were. */
	return nr_same + FRAME_NR_REGS == NR_PACKED ? rule : RULES_NONE;
}

/* Leaves a frame by one word. */
static enum cfi_result rule_leave(uint64_t rule, struct frame *frame,
				  struct memory *memory)
{
	unsigned base = rule & RULES_FRAME_POINTER ? FRAME_FP : FRAME_SP, i;
	uint64_t cfa, pc, value, saved = rule >> RULES_REGS;

	if (!frame_knows(frame, base))
		return CFI_BAD;
	cfa = frame->r[base] + 8 * (rule & RULES_DISTANCE_MOST);
	if (!rules_place(rule, 0) && !frame_knows(frame, FRAME_RA))
		return CFI_BAD;
	if (!rules_place(rule, 0))
		pc = frame->r[FRAME_RA];
	else if (!memory_read(memory, cfa - 8 * rules_place(rule, 0), &pc))
		return CFI_BAD;
	frame->known &= FRAME_KEPT;
	for (i = 0; saved; i++, saved >>= RULES_REG_BITS) {
		if (!(saved & RULES_REG_MOST))
			continue;
		frame->known &= ~(1u << packed[i]);
		if (memory_read(memory, cfa - 8 * (saved & RULES_REG_MOST),
				&value))
			frame_set(frame, packed[i], value);
	}
	frame_set(frame, FRAME_SP, cfa);
	frame->pc = frame_code(pc);
	frame->exact = false;
	return CFI_STEPPED;
}

static cold enum cfi_result full_step(struct frame *frame,
				      struct memory *memory, uint64_t pc,
				      const struct fde_place *place,
				      uint64_t key)
{
	struct program program;
	enum cfi_result result;
	uint64_t rule;
	struct fde fde;

	if (!fde_read(pc, place, &fde) || !row_find(&program, &fde, pc))
		return CFI_UNKNOWN;
	result = frame_leave(&program, frame, memory);
	rule = result == CFI_END ? RULES_END : row_pack(&program);
	if (rule != RULES_NONE)
		rules_keep(key, rule);
	if (rule != RULES_NONE && place->lasting)
		rules_keep_lasting(pc, rule);
	return result;
}

enum cfi_result cfi_step(struct frame *frame, struct memory *memory,
			 struct fde_place *place)
{
	uint64_t pc = frame_lookup(frame), key = 0;
	uint64_t rule = rules_find_lasting(pc);

	if (rule == RULES_NONE) {
		if (!fde_find(pc, place))
			return CFI_UNKNOWN;
		key = rules_key(pc, place->entry);
		rule = rules_find(key);
		if (rule != RULES_NONE && place->lasting)
			rules_keep_lasting(pc, rule);
	}
	if (rule == RULES_END)
		return CFI_END;
	if (likely(rule != RULES_NONE))
		return rule_leave(rule, frame, memory);
	return full_step(frame, memory, pc, place, key);
}
