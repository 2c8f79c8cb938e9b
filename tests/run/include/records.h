#ifndef RECORDS_H
#define RECORDS_H

#define LIMIT (3 + 4)
#define GREETING "hi there"
#define COMMAND(number) ((number) << 2)
#define STOP COMMAND(5)

typedef unsigned short port_t;

enum color { RED, GREEN = 7 };

struct inner {
    int first;
    char name[12];
};

struct outer {
    struct inner *in;
    port_t port;
    struct {
        int x;
        unsigned low : 3;
        unsigned high : 5;
    };
    enum color color;
};

#endif
