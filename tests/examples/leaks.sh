cat >leaky.c <<'C'
#include <stdlib.h>
__attribute__((noinline)) void *keep(void) { return malloc(1234); }
__attribute__((noinline)) void lend(void) { free(malloc(777)); }
int main(void)
{
    for (int n = 0; n < 10; n++) {
        void *volatile kept = keep();
        lend();
    }
}
C
cc -O1 -fno-omit-frame-pointer -fno-builtin leaky.c -o leaky
trace -c ./leaky
expect '^\]: 12340$'
refuse '^\]: 7770$'
refuse '^@(held|asked)'
