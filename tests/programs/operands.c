// operands [N]: passes N times (default 1) static probes whose arguments are kept in every way that notes can say.
#include <stdlib.h>

// The notes are as sys/sdt.h makes them, but the code and the operands are chosen here.
#define PROBE(name, before, operands)                                      \
    __asm__ volatile(before "\n"                                           \
                     "990: nop\n"                                          \
                     ".pushsection .note.stapsdt,\"?\",\"note\"\n"         \
                     ".balign 4\n"                                         \
                     ".4byte 992f-991f, 994f-993f, 3\n"                    \
                     "991: .asciz \"stapsdt\"\n"                           \
                     "992: .balign 4\n"                                    \
                     "993: .8byte 990b, _.stapsdt.base, 0\n"               \
                     ".asciz \"operands\"\n"                               \
                     ".asciz \"" name "\"\n"                               \
                     ".asciz \"" operands "\"\n"                           \
                     "994: .balign 4\n"                                    \
                     ".popsection\n"                                       \
                     ".ifndef _.stapsdt.base\n"                            \
                     ".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n" \
                     ".weak _.stapsdt.base\n"                              \
                     ".hidden _.stapsdt.base\n"                            \
                     "_.stapsdt.base: .space 1\n"                          \
                     ".size _.stapsdt.base, 1\n"                           \
                     ".popsection\n"                                       \
                     ".endif\n"                                            \
                     ::: "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", \
                       "memory")

__attribute__((used)) volatile int operands_table[4] = { -10, 20, -30, 40 };
__attribute__((used)) const char operands_text[] = "a text";

#define TRACED __attribute__((noipa)) static void

// Every width of a register, with and without a sign.
TRACED widths(void) {
    PROBE("widths", "movabs $0x81828384f5f6f7f8, %%rax",
          "8@%%rax -8@%%rax 4@%%eax -4@%%eax 2@%%ax -2@%%ax 1@%%al -1@%%al 1@%%ah -1@%%ah");
}
// Numbered registers and those without parts.
TRACED numbered(void) {
    PROBE("numbered",
          "movq $-8, %%r8\n movq $-9, %%r9\n movq $-10, %%r10\n movq $-11, %%r11\n movq $-12, %%r12\n"
          "movq $-13, %%r13\n movq $-14, %%r14\n movq $-15, %%r15\n movq $-16, %%rsi\n movq $-17, %%rdi",
          "-8@%%r8 -4@%%r9d -2@%%r10w -1@%%r11b 8@%%r12 4@%%r13d 2@%%r14w 1@%%r15b -1@%%sil -2@%%di");
}
TRACED constants(void) {
    PROBE("constants", "", "-4@$-9 8@$5 8@$0x7fffffffffffffff 4@$-1 1@$300");
}
// Memory by base, index, scale and displacement, and at a symbol.
TRACED memory(void) {
    PROBE("memory", "lea operands_table+8(%%rip), %%rbx\n movq $1, %%rcx",
          "-4@(%%rbx) -4@-8(%%rbx) 4@-8(%%rbx) -4@(%%rbx,%%rcx,4) -4@-1(%%rbx,%%rcx) -4@operands_table(%%rip) "
          "-4@operands_table+4(%%rip) -2@8+operands_table(%%rip) 1@(,%%rbx)");
}
TRACED text(void) {
    PROBE("text", "lea operands_text(%%rip), %%rdx\n movq $6, %%rcx", "8@%%rdx -4@%%ecx");
}
// One probe at three sites that keep the argument differently.
TRACED site_one(long value) {
    (void)value;
    PROBE("sites", "movq $100, %%rax", "-4@%%eax 8@$1");
}
TRACED site_two(long value) {
    (void)value;
    PROBE("sites", "", "-4@$200 8@$2");
}
TRACED site_three(long value) {
    (void)value;
    PROBE("sites", "", "-4@operands_table+12(%%rip) 8@$3");
}
// What cannot be had.
TRACED unreadable(void) {
    PROBE("unreadable", "", "8f@%%xmm0 8@%%xmm1 4@%%fs:-4");
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 1;
    for (int round = 0; round < rounds; round++) {
        widths();
        numbered();
        constants();
        memory();
        text();
        site_one(round);
        site_two(round);
        site_three(round);
        unreadable();
    }
    return 0;
}
