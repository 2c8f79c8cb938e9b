// calls [N [COMM]]: makes a known sequence of calls, N times over (default 1), as a process named COMM.
// The functions are what the scripts of the tests trace; none calls another but where a comment says so.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct point {
    int x;
    short y;
    struct { unsigned char low : 3, high : 5; } bits;
    char name[8];
};

volatile long sink;
// Globals of other sizes, next to each other, so that reading too much shows.
volatile int int_number = 70000;
volatile short short_number = -2;
volatile unsigned char byte_number = 200;

// The compiler must neither drop, merge, clone nor move a call.
#define TRACED __attribute__((noipa))

// add(1,2) add(10,20) add(100,200) in each round
TRACED long add(long a, long b) { return a + b; }
// greet("alpha") greet("beta") in each round
TRACED const char *greet(const char *name) { sink += name[0]; return name; }
// say(TEXT) with a text of 62 `a` once, of 63 `b` twice, of 64 `c` three times and of 200 `d` four times in each round
TRACED const char *say(const char *text) { return text; }
// place(&{x=-7,y=300,low=5,high=17,name="origin"}) in each round
TRACED int place(const struct point *point) { sink += point->x; return point->x; }
// six(1,2,3,4,5,6) in each round
TRACED long six(long a, long b, long c, long d, long e, long f) { return sink += a + b + c + d + e + f; }
// negative(-1) in each round; returns its argument
TRACED int negative(int value) { return value; }
// outer calls inner, so that stacks have two known frames
TRACED long inner(long value) { return sink += value; }
TRACED long outer(long value) { return inner(value) + 1; }
// deep calls itself down to deep(0), which makes the only call of getsid: from deep(10) twice and from deep(60) once in each
// round
TRACED long deep(long value) { return (value ? deep(value - 1) : syscall(SYS_getsid, 0)) + 1; }
// series(0) series(1) ... series(N-1): one in each round
TRACED long series(long value) { return sink += value; }

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 1;
    struct point origin = { -7, 300, { 5, 17 }, "origin" };
    if (argc > 2) prctl(PR_SET_NAME, argv[2]);
    for (long round = 0; round < rounds; round++) {
        sink += add(1, 2) + add(10, 20) + add(100, 200);
        greet("alpha");
        greet("beta");
        for (int text = 0; text < 4; text++) {
            char letters[201] = { 0 };
            memset(letters, 'a' + text, (int[]){ 62, 63, 64, 200 }[text]);
            for (int times = 0; times <= text; times++) say(letters);
        }
        place(&origin);
        six(1, 2, 3, 4, 5, 6);
        sink += negative(-1);
        outer(40);
        for (volatile int times = 0; times < 2; times++) deep(10);
        deep(60);
        series(round);
        syscall(SYS_getppid);
        // Fails: for tracepoints with a string argument and a negative result.
        syscall(SYS_openat, AT_FDCWD, "/no/such/file", O_RDONLY | O_CLOEXEC, 0);
    }
    return 0;
}
