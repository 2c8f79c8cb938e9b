// replay TRACE: runs the native code of recorded programs again, with the contexts that the kernel's runs had and with
// what their helpers gave them, and compares everything that the programs do: which helpers they call in which order,
// the numbers, keys and values that they give them, the events that they write, what they change in the values of maps
// by address, and what they return. The first difference ends it with exit code 1.
//
// It is linked with the object that `btaot build --combined` makes and with a table of its functions.
#include "trace.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef uint64_t u64;
typedef u64 (*function)(u64, u64, u64, u64, u64);

// The object's functions and sections of variables, by their names; ends with a null.
extern const struct named { const char *name; void *address; } functions[], sections[];
extern const char __btaot_maps[] __attribute__((weak));

#define MOST 256

struct event { struct record record; const unsigned char *key, *data; };

// What happened between the begin and the end of a program, on one processor in one thread.
struct run {
    unsigned program, count;
    size_t start, end;
    struct event *events;
    // Others ran at the same time: a value that both use may have changed in between.
    int is_shared;
};

// A value of a map: what the replayed programs must find there.
struct cell {
    struct cell *next;
    unsigned map, cpu, key_size, size;
    unsigned char *key, *value;
    enum { UNKNOWN, PRESENT, ABSENT } state;
    // Programs that ran side by side used it: the next one takes it as it is.
    int is_shared;
};

static struct map_block maps[MOST];
static unsigned map_count;
static struct program_block programs[MOST];
static unsigned program_count;
static unsigned processors = 1;
static struct run *runs;
static size_t run_count;
static struct cell *cells[1 << 14];

// The run that is replayed, and its next event.
static struct run *current;
static unsigned next;
static unsigned ran[MOST];
static size_t compared_calls, compared_bytes, taken_over;

static void __attribute__((noreturn, format(printf, 1, 2))) differ(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    if (current)
        printf("run %zu, of %s, event %u of %u: ", (size_t)(current - runs), programs[current->program].name, next,
               current->count);
    vprintf(format, list);
    va_end(list);
    putchar('\n');
    exit(1);
}

static const struct map_block *map_of(unsigned id)
{
    for (unsigned n = 0; n < map_count; n++)
        if (maps[n].id == id)
            return maps + n;
    differ("no map has the id %u", id);
}

// The object's maps stand behind a head of 16 bytes in 96 bytes each; the name comes first. A handle is its address.
u64 __lddw_helper_map_by_fd(uint32_t index) { return (u64)(uintptr_t)(__btaot_maps + 16 + 96 * index); }

static void expect_map(u64 handle, unsigned id)
{
    const char *name = (const char *)(uintptr_t)handle;
    // The kernel keeps fifteen letters.
    if (strncmp(name, map_of(id)->name, 15))
        differ("the map %s instead of %s", name, map_of(id)->name);
}

static void expect_bytes(const char *what, const void *bytes, const unsigned char *recorded, unsigned size)
{
    for (unsigned n = 0; n < size; n++)
        if (((const unsigned char *)bytes)[n] != recorded[n])
            differ("byte %u of %u of the %s is %#x instead of %#x", n, size, what, ((const unsigned char *)bytes)[n],
                   recorded[n]);
    compared_bytes += size;
}

static int is_per_cpu(unsigned id)
{
    unsigned kind = map_of(id)->kind;
    return kind == 5 || kind == 6 || kind == 10;
}

static int is_array(unsigned id) { return map_of(id)->kind == 2 || map_of(id)->kind == 6; }

static struct cell *cell_of(unsigned map, unsigned cpu, const unsigned char *key, unsigned key_size)
{
    unsigned hash = 2166136261u ^ map * 31 ^ cpu;
    for (unsigned n = 0; n < key_size; n++)
        hash = (hash ^ key[n]) * 16777619;
    struct cell **list = cells + hash % (sizeof cells / sizeof *cells);
    for (struct cell *cell = *list; cell; cell = cell->next)
        if (cell->map == map && cell->cpu == cpu && cell->key_size == key_size && !memcmp(cell->key, key, key_size))
            return cell;
    struct cell *cell = calloc(1, sizeof *cell);
    *cell = (struct cell){.next = *list, .map = map, .cpu = cpu, .key_size = key_size, .size = map_of(map)->value_size};
    cell->key = malloc(key_size);
    memcpy(cell->key, key, key_size);
    cell->value = calloc(1, cell->size + 8);
    return *list = cell;
}

static struct cell *cell_of_event(const struct event *event)
{
    const struct record *record = &event->record;
    unsigned cpu = record->cpu;
    if (record->number == 195)
        cpu = record->arguments[2];
    return cell_of(record->map, is_per_cpu(record->map) ? cpu : 0, event->key, record->key_size);
}

// Room that only the programs themselves use, and only while they run: what is left there says nothing.
static int is_scratch(unsigned map) { return !strncmp(map_of(map)->name, "scratch", 7); }

// The kernel found these bytes, or nothing: so must the native code, unless another program was at it meanwhile.
static u64 find(struct cell *cell, const unsigned char *recorded, unsigned size, int is_there)
{
    int is_free = cell->is_shared || current->is_shared || cell->state == UNKNOWN || is_scratch(cell->map);
    if (is_there && size && cell->state != ABSENT && !is_free)
        expect_bytes("value found", cell->value, recorded, size);
    else if (!is_free && is_there != (cell->state == PRESENT))
        differ("%s of %s is %s", "an entry", map_of(cell->map)->name, is_there ? "missing" : "there");
    else if (is_free && !is_scratch(cell->map))
        taken_over += cell->state != UNKNOWN;
    cell->state = is_there ? PRESENT : ABSENT;
    cell->is_shared = current->is_shared;
    if (is_there)
        memcpy(cell->value, recorded, size);
    return is_there ? (u64)(uintptr_t)cell->value : 0;
}

static const struct event *take(unsigned kind, unsigned number)
{
    static const char *const kinds[] = {"", "begin of program", "end of program", "call of helper", "callback"};
    if (next == current->count)
        differ("%s %u, which the kernel's run did not have", kinds[kind], number);
    const struct event *event = current->events + next;
    if (event->record.kind != kind || event->record.number != number)
        differ("%s %u instead of %s %u", kinds[kind], number, kinds[event->record.kind], event->record.number);
    next++;
    return event;
}

// Ends of programs that were jumped to; the end of the whole comes with them.
static int is_next(unsigned kind) { return next < current->count && current->events[next].record.kind == kind; }

// An entry comes and goes for all processors at once.
static void set_all(const struct event *event, int state)
{
    unsigned count = is_per_cpu(event->record.map) ? processors : 1;
    for (unsigned cpu = 0; cpu < count; cpu++) {
        struct cell *cell = cell_of(event->record.map, cpu, event->key, event->record.key_size);
        cell->state = state;
        cell->is_shared = current->is_shared;
    }
}

static u64 update(const struct event *event, const u64 *arguments)
{
    struct cell *cell = cell_of_event(event);
    expect_bytes("value", (void *)(uintptr_t)arguments[2], event->data, event->record.data_size);
    if (event->record.result)
        return event->record.result;
    // An array's value stays where it is; another map has a new one, and the old one may still be in use.
    if (!is_array(event->record.map)) {
        cell->value = calloc(1, cell->size + 8);
        if (cell->state != PRESENT)
            set_all(event, UNKNOWN);
    }
    memcpy(cell->value, (void *)(uintptr_t)arguments[2], cell->size);
    cell->state = PRESENT;
    cell->is_shared = current->is_shared;
    return 0;
}

static u64 delete(const struct event *event)
{
    if (!event->record.result)
        set_all(event, ABSENT);
    return event->record.result;
}

static u64 walk(const u64 *arguments)
{
    while (is_next(CALLBACK)) {
        const struct event *event = take(CALLBACK, 0);
        expect_map(arguments[0], event->record.map);
        struct cell *cell = cell_of_event(event);
        u64 value = find(cell, event->data, event->record.data_size, 1);
        unsigned char key[LONGEST_KEY];
        memcpy(key, event->key, event->record.key_size);
        ((function)(uintptr_t)arguments[1])(arguments[0], (u64)(uintptr_t)key, value, arguments[2], 0);
    }
    return take(CALL, 164)->record.result;
}

static const struct shape *shape_of(unsigned helper)
{
#define SHAPE(number, ...) [number] = {__VA_ARGS__},
    static const struct shape shapes[256] = {HELPERS(SHAPE)};
    return shapes + helper;
}

// What a program reads by the helpers for foreign memory may be its own: at another address here, with the same bytes.
static int reads_own(const struct shape *shape, const u64 *arguments, const struct event *event)
{
    static int through[2];
    unsigned char bytes[LONGEST_DATA];
    size_t size = event->record.data_size;
    if (shape->data != WRITES || shape->arity != 3 || (!through[1] && pipe(through)))
        return 0;
    // The kernel, not a fault, tells whether the address is one of ours.
    ssize_t written = write(through[1], (void *)(uintptr_t)arguments[2], size);
    ssize_t got = written > 0 ? read(through[0], bytes, written) : 0;
    return written == (ssize_t)size && got == written && !memcmp(bytes, event->data, size);
}

static u64 replay(unsigned helper, const u64 *arguments)
{
    const struct shape *shape = shape_of(helper);
    compared_calls++;
    if (helper == 164)
        return walk(arguments);
    const struct event *event = take(CALL, helper);
    for (unsigned n = 0; n < shape->arity; n++)
        if (shape->numbers >> n & 1 && arguments[n] != event->record.arguments[n] &&
            !(n == 2 && reads_own(shape, arguments, event)))
            differ("argument %u of helper %u is %#llx instead of %#llx", n, helper, (long long)arguments[n],
                   event->record.arguments[n]);
    if (shape->has_key) {
        expect_map(arguments[0], event->record.map);
        expect_bytes("key", (void *)(uintptr_t)arguments[1], event->key, event->record.key_size);
    }
    void *data = (void *)(uintptr_t)arguments[shape->address], *sample;
    switch (shape->data) {
    case READS: expect_bytes("event", data, event->data, event->record.data_size); break;
    case WRITES: memcpy(data, event->data, event->record.data_size); break;
    case VALUE_IN: return update(event, arguments);
    case VALUE_OUT:
        return find(cell_of_event(event), event->data, event->record.data_size, event->record.result != 0);
    case SAMPLE_OUT:
        if (!event->record.result)
            return 0;
        // Bytes between the fields stay as the ring had them.
        sample = calloc(1, arguments[1]);
        memcpy(sample, event->data, event->record.data_size);
        return (u64)(uintptr_t)sample;
    case SAMPLE_IN:
        expect_bytes("event", data, event->data, event->record.data_size);
        free(data);
        break;
    case NO_DATA: break;
    }
    return helper == 3 ? delete(event) : event->record.result;
}

#define HELPER(number, ...)                                                     \
    u64 _bpf_helper_ext_##number(u64 a, u64 b, u64 c, u64 d, u64 e)             \
    {                                                                           \
        return replay(number, (u64[]){a, b, c, d, e});                          \
    }
HELPERS(HELPER)

// A program's function: its own name, or, of a name that the kernel cut, the one that starts so.
static function function_of(const char *name)
{
    for (const struct named *it = functions; it->name; it++)
        if (!strcmp(it->name, name))
            return (function)it->address;
    for (const struct named *it = functions; it->name; it++)
        if (strlen(name) == 15 && !strncmp(it->name, name, 15))
            return (function)it->address;
    return 0;
}

// The kernel's run went on in another program, or behind the call.
u64 _bpf_helper_ext_12(u64 context, u64 map, u64 index, u64 d, u64 e)
{
    compared_calls++;
    (void)context, (void)map, (void)index, (void)d, (void)e;
    if (!is_next(ENTER))
        return (u64)-2;
    unsigned program = current->events[next].record.number;
    take(ENTER, program);
    ran[program]++;
    function target = function_of(programs[program].name);
    if (!target)
        differ("no function for the program %s", programs[program].name);
    return (u64)(uintptr_t)target;
}

static void replay_run(struct run *run)
{
    _Alignas(8) unsigned char context[4096] = {0};
    current = run;
    next = 0;
    const struct event *enter = take(ENTER, run->program);
    memcpy(context, enter->data, enter->record.data_size);
    // An iterator's context points to the place of the walk.
    u64 place[LONGEST_KEY / 8];
    memcpy(place, enter->key, enter->record.key_size);
    u64 *first_word = (u64 *)context;
    if (enter->record.key_size)
        *first_word = (u64)(uintptr_t)place;
    function program = function_of(programs[run->program].name);
    if (!program)
        differ("the object has no function for it");
    u64 result = program((u64)(uintptr_t)context, enter->record.data_size, 0, 0, 0);
    // Where one program jumped to another, both ends are the same.
    while (is_next(LEAVE)) {
        const struct event *leave = take(LEAVE, current->events[next].record.number);
        if (leave->record.result != result)
            differ("result %llu instead of %llu", (long long)result, leave->record.result);
    }
    if (next != run->count)
        differ("it ended, and the kernel's run went on with helper %u", run->events[next].record.number);
    current = 0;
}

// A run that has begun.
struct open { struct run run; unsigned cpu, room, depth; u64 thread; };

static void keep(struct open *open, size_t end)
{
    static size_t room;
    if (run_count == room)
        runs = realloc(runs, (room = 2 * room + 64) * sizeof *runs);
    runs[run_count] = open->run;
    runs[run_count++].end = end;
}

// A program that another one jumps to is a part of its run.
static int is_rest(const struct program_block *program)
{
    size_t length = strlen(program->name);
    const char *full = program->name;
    for (const struct named *it = functions; it->name; it++)
        if (!strncmp(it->name, program->name, length) && (length == 15 || !it->name[length]))
            full = it->name;
    length = strlen(full);
    return length > 5 && !strcmp(full + length - 5, "_rest");
}

static void add(const struct event *event, size_t place)
{
    static struct open opens[64];
    static unsigned open_count;
    const struct record *record = &event->record;
    struct open *open = 0;
    for (unsigned n = open_count; n-- > 0 && !open;)
        if (opens[n].cpu == record->cpu && opens[n].thread == record->thread)
            open = opens + n;
    if (record->kind == ENTER && !(open && is_rest(programs + record->number))) {
        if (open_count == sizeof opens / sizeof *opens)
            differ("more than %u programs at once", open_count);
        open = opens + open_count++;
        *open = (struct open){.run = {.program = record->number, .start = place}, .cpu = record->cpu,
                              .thread = record->thread};
    }
    if (!open)
        differ("an event outside of all programs");
    if (open->run.count == open->room)
        open->run.events = realloc(open->run.events, (open->room = 2 * open->room + 8) * sizeof *event);
    open->run.events[open->run.count++] = *event;
    open->depth += record->kind == ENTER;
    open->depth -= record->kind == LEAVE;
    if (open->depth == 0) {
        keep(open, place);
        memmove(open, open + 1, (char *)(opens + --open_count) - (char *)open);
    }
}

static int by_start(const void *left, const void *right)
{
    const struct run *a = left, *b = right;
    return (a->start > b->start) - (a->start < b->start);
}

static void find_shared(void)
{
    qsort(runs, run_count, sizeof *runs, by_start);
    for (size_t n = 0, last = 0; n < run_count; n++) {
        if (n && runs[n].start < runs[last].end)
            runs[n].is_shared = runs[last].is_shared = 1;
        if (runs[n].end > runs[last].end)
            last = n;
    }
}

static void *section_of(const char *name)
{
    for (const struct named *it = sections; it->name; it++)
        if (!strncmp(it->name, name, 15))
            return it->address;
    return 0;
}

struct bytes { const struct bytes_block *head; const unsigned char *bytes; unsigned size; };
static struct bytes first[MOST], last[1 << 16];
static unsigned first_count;
static size_t last_count;

// The tool filled its constants before it loaded the programs.
static void fill(void *section, const struct bytes *bytes)
{
    u64 start = (u64)(uintptr_t)section & ~4095ul;
    if (mprotect((void *)start, (u64)(uintptr_t)section + bytes->size - start, PROT_READ | PROT_WRITE))
        differ("the section at %p cannot be written", section);
    memcpy(section, bytes->bytes, bytes->size);
}

static void read_trace(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        differ("%s cannot be read", path);
    fseek(file, 0, SEEK_END);
    size_t size = ftell(file), place = 0;
    unsigned char *bytes = malloc(size + 1);
    rewind(file);
    if (fread(bytes, 1, size, file) != size)
        differ("%s cannot be read", path);
    fclose(file);
    for (size_t at = 0; at < size;) {
        struct block block;
        memcpy(&block, bytes + at, sizeof block);
        const unsigned char *payload = bytes + at + sizeof block;
        at += sizeof block + block.size;
        struct event event;
        const struct bytes_block *head = (const void *)payload;
        struct bytes rest = {head, payload + sizeof *head, block.size - sizeof *head};
        switch ((enum block_kind)block.kind) {
        case MAP: memcpy(maps + map_count++, payload, sizeof *maps); break;
        case PROGRAM: memcpy(programs + program_count++, payload, sizeof *programs); break;
        case RECORD:
            memcpy(&event.record, payload, sizeof event.record);
            event.key = payload + sizeof event.record;
            event.data = event.key + event.record.key_size;
            if (event.record.cpu >= processors)
                processors = event.record.cpu + 1;
            add(&event, place++);
            break;
        case SECTION:
            if (first_count < MOST)
                first[first_count++] = rest;
            break;
        case LAST_VALUE:
            if (last_count < sizeof last / sizeof *last)
                last[last_count++] = rest;
            break;
        }
    }
    find_shared();
}

// Variables that programs reach by address: the counts of what was lost, say. The first word tells programs that the tool
// ends; the tool takes it back for its `end` probes.
static size_t compare_sections(void)
{
    const unsigned flag = 8;
    size_t compared = 0;
    for (unsigned n = first_count / 2; n < first_count; n++) {
        unsigned char *section = section_of(map_of(first[n].head->map)->name);
        for (unsigned at = flag; section && at < first[n].size; at++, compared++)
            if (section[at] != first[n].bytes[at])
                differ("byte %u of the section %s ended up as %#x instead of %#x", at, map_of(first[n].head->map)->name,
                       section[at], first[n].bytes[at]);
    }
    return compared;
}

static void compare_last(void)
{
    size_t compared = 0;
    for (size_t n = 0; n < last_count; n++) {
        unsigned key_size = map_of(last[n].head->map)->key_size;
        struct cell *cell = cell_of(last[n].head->map, last[n].head->cpu, last[n].bytes, key_size);
        if (cell->state != PRESENT || cell->is_shared || is_scratch(cell->map))
            continue;
        if (memcmp(cell->value, last[n].bytes + key_size, cell->size))
            differ("an entry of %s ended up differently", map_of(cell->map)->name);
        compared++;
    }
    printf("%zu values of maps, %zu bytes of sections\n", compared, compare_sections());
}

int main(int count, char **arguments)
{
    if (count != 2)
        return 2;
    read_trace(arguments[1]);
    for (unsigned n = 0; n < first_count / 2; n++) {
        void *section = section_of(map_of(first[n].head->map)->name);
        if (section)
            fill(section, first + n);
    }
    for (size_t n = 0; n < run_count; n++) {
        replay_run(runs + n);
        ran[runs[n].program]++;
    }
    for (unsigned n = 0; n < program_count; n++)
        printf("%s: %u runs\n", programs[n].name, ran[n]);
    printf("%zu calls, %zu bytes, %zu values taken over\n", compared_calls, compared_bytes, taken_over);
    compare_last();
    return 0;
}
