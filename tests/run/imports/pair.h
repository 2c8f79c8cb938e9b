#ifndef PAIR_H
#define PAIR_H
#define LIMIT 7
/* Two numbers. */
struct pair {
    int first;
    int second;
};
#endif
