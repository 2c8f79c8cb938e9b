// What the recorder, the code that it adds to programs, and the replay agree on.
#pragma once

// What a record tells.
enum record_kind { ENTER = 1, LEAVE, CALL, CALLBACK };

// How a helper is recorded and replayed. Bit n of `numbers` means that argument n is a number, not an address, and must
// be the same again.
struct shape {
    unsigned arity, numbers;
    // The first two arguments are a map and a key of it.
    unsigned has_key;
    // The argument that is an address of data, and the argument that is their size; or a size of its own.
    enum { NO_DATA, READS, WRITES, VALUE_IN, VALUE_OUT, SAMPLE_IN, SAMPLE_OUT } data;
    unsigned address, size;
};

// Number, arity, numbers, has a key, data, address, size. Every helper that a recorded program may call is here.
#define HELPERS(H)                       \
    H(1, 2, 0, 1, VALUE_OUT, 0, 0)       \
    H(2, 4, 8, 1, VALUE_IN, 2, 0)        \
    H(3, 2, 0, 1, NO_DATA, 0, 0)         \
    H(5, 0, 0, 0, NO_DATA, 0, 0)         \
    H(7, 0, 0, 0, NO_DATA, 0, 0)         \
    H(8, 0, 0, 0, NO_DATA, 0, 0)         \
    H(14, 0, 0, 0, NO_DATA, 0, 0)        \
    H(15, 0, 0, 0, NO_DATA, 0, 0)        \
    H(16, 2, 2, 0, WRITES, 0, 1)         \
    H(35, 0, 0, 0, NO_DATA, 0, 0)        \
    H(67, 4, 12, 0, WRITES, 1, 2)        \
    H(80, 0, 0, 0, NO_DATA, 0, 0)        \
    H(112, 3, 6, 0, WRITES, 0, 1)        \
    H(113, 3, 6, 0, WRITES, 0, 1)        \
    H(114, 3, 6, 0, WRITES, 0, 1)        \
    H(115, 3, 6, 0, WRITES, 0, 1)        \
    H(120, 4, 11, 0, WRITES, 2, 3)       \
    H(125, 0, 0, 0, NO_DATA, 0, 0)       \
    H(127, 3, 5, 0, READS, 1, 2)         \
    H(130, 4, 12, 0, READS, 1, 2)        \
    H(131, 3, 6, 0, SAMPLE_OUT, 0, 1)    \
    H(132, 2, 2, 0, SAMPLE_IN, 0, 0)     \
    H(133, 2, 2, 0, SAMPLE_IN, 0, 0)     \
    H(134, 2, 2, 0, NO_DATA, 0, 0)       \
    H(164, 4, 8, 0, NO_DATA, 0, 0)       \
    H(174, 1, 0, 0, NO_DATA, 0, 0)       \
    H(195, 3, 4, 1, VALUE_OUT, 0, 0)

// Follows in the ring by `key_room` bytes of key and by the data.
struct record {
    unsigned kind, number;   // the helper, or the program
    unsigned cpu, map;       // the map's id
    unsigned long long thread, arguments[5], result;
    unsigned key_room, key_size, data_size, has_result;
};

// The trace file is a row of blocks, each with its payload behind it.
enum block_kind { MAP = 1, PROGRAM, SECTION, RECORD, LAST_VALUE };
struct block { unsigned kind, size; };

struct map_block { unsigned id, kind, key_size, value_size; char name[16]; };
struct program_block { unsigned index; char name[16]; };
// The bytes of a section of variables follow, or a key and a value.
struct bytes_block { unsigned map, cpu; };

#define LONGEST_KEY 2048
#define LONGEST_DATA 4096
