// typed: calls functions once each, whose parameters are of every form that calls have. All that pointers lead to is on
// the stack, so that programs can read it.
#include <stdint.h>

enum color { RED, GREEN = 5, BLUE = -3 };

struct inner {
    char tag;
    short number;
};

struct node {
    int id;
    char name[16];
    struct inner inner;
    struct node *next;
    unsigned low : 3, high : 5;
    int both : 7;
    enum color color;
    union {
        int as_int;
        float as_float;
    } either;
    struct {
        int unnamed;
    };
    long prices[4];
    struct inner *far;
    _Bool fine;
};
typedef struct node node_t;

struct pair { int x, y; };
struct three { char a, b, c; };
struct two { long x; char c; short z; };
struct big { long a[4]; };
struct mixed { double first; long second; };

volatile long sink;

// The compiler must neither drop, merge, clone nor move a call.
#define TRACED __attribute__((noipa))

// scalars(-3, 4, 'x', TEXT, 200, true, -70, 80): the last two are on the stack
TRACED long scalars(int a, long b, char c, const char *text, uint8_t small, _Bool yes, short seventh, unsigned long eighth)
{
    return sink += a + b + c + small + yes + seventh + eighth + text[0];
}

// follow(NODE, GREEN), where NODE leads to another one
TRACED int follow(const node_t *node, enum color color) { return sink += node->id + color; }

// values({11,-12}, {13,'w',-14}, {15,16,17,18}, {1,2,3}, 19): the fourth fills no register, the third is on the stack
TRACED int values(struct pair pair, struct two two, struct big big, struct three three, int last)
{
    return sink += pair.x + two.c + big.a[0] + three.b + last;
}

// floats(1.5, 21, {2.5, 22}, 23, 3.5f, 24)
TRACED int floats(double a, int b, struct mixed m, int c, float d, int e)
{
    return sink += (int)a + b + m.second + c + (int)d + e;
}

// result(25, NULL) gives a structure back, at an address that is passed in front of the rest
TRACED struct big result(int number, void (*call)(int))
{
    struct big big = { { number, call != 0 } };
    return big;
}

int main(void)
{
    volatile char text[8] = "text";
    volatile struct inner far = { 'q', -7 };
    volatile node_t second = { .id = 2, .name = "second" };
    volatile node_t first = {
        .id = 1, .name = "first", .inner = { 'z', -2 }, .next = (node_t *)&second, .low = 5, .high = 17, .both = -9,
        .color = BLUE, .either = { 77 }, .unnamed = 99, .prices = { 10, 20, 30, 40 }, .far = (struct inner *)&far,
        .fine = 1
    };
    scalars(-3, 4, 'x', (const char *)text, 200, 1, -70, 80);
    follow((const node_t *)&first, GREEN);
    values((struct pair){ 11, -12 }, (struct two){ 13, 'w', -14 }, (struct big){ { 15, 16, 17, 18 } },
           (struct three){ 1, 2, 3 }, 19);
    floats(1.5, 21, (struct mixed){ 2.5, 22 }, 23, 3.5f, 24);
    sink += result(25, 0).a[0];
    return 0;
}
