// marks [N]: passes N times (default 1) the static probes `marks:plain`, which stands in two functions, and
// `marks:counted`, which has a semaphore and is passed only while that is not 0.
#include <stdlib.h>

// The notes are as sys/sdt.h makes them: code, mark and semaphore, then provider, name and arguments.
#define PROBE(name, semaphore)                                             \
    __asm__ volatile("990: nop\n"                                          \
                     ".pushsection .note.stapsdt,\"?\",\"note\"\n"         \
                     ".balign 4\n"                                         \
                     ".4byte 992f-991f, 994f-993f, 3\n"                    \
                     "991: .asciz \"stapsdt\"\n"                           \
                     "992: .balign 4\n"                                    \
                     "993: .8byte 990b, _.stapsdt.base, " semaphore "\n"   \
                     ".asciz \"marks\"\n"                                  \
                     ".asciz \"" name "\"\n"                               \
                     ".asciz \"\"\n"                                       \
                     "994: .balign 4\n"                                    \
                     ".popsection\n"                                       \
                     ".ifndef _.stapsdt.base\n"                            \
                     ".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n" \
                     ".weak _.stapsdt.base\n"                              \
                     ".hidden _.stapsdt.base\n"                            \
                     "_.stapsdt.base: .space 1\n"                          \
                     ".size _.stapsdt.base, 1\n"                           \
                     ".popsection\n"                                       \
                     ".endif\n")

__attribute__((section(".probes"), used)) volatile unsigned short marks_semaphore;

__attribute__((noipa)) static void first(void) { PROBE("plain", "0"); }
__attribute__((noipa)) static void second(void) { PROBE("plain", "0"); }

__attribute__((noipa)) static void counted(void) {
    if (marks_semaphore)
        PROBE("counted", "marks_semaphore");
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 1;
    for (int round = 0; round < rounds; round++) {
        first();
        second();
        counted();
    }
    return 0;
}
