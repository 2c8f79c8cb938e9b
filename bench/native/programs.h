// Twelve small programs: arithmetic, sums, hashes, divisions, comparisons, copies, sorting, parsing. Each is a function
// of 4096 writable bytes; every index is masked, so that the kernel's verifier would accept it too. Compiled for eBPF
// they keep their loops as they stand: what a compiler makes of them is left to the native side.
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define BODY(name) static inline __attribute__((always_inline)) u64 body_##name(u8 *mem)
#ifdef __bpf__
#define PLAIN _Pragma("clang loop unroll(disable) vectorize(disable)")
#else
#define PLAIN
#endif
#define B8(i) (mem[(i) & 4095])
#define B16(i) (((u16 *)mem)[(i) & 2047])
#define B32(i) (((u32 *)mem)[(i) & 1023])
#define B64(i) (((u64 *)mem)[(i) & 511])

BODY(empty) { return 0; }

BODY(alu)
{
    u64 x = B64(0) | 1, sum = 0;
    PLAIN for (u32 i = 0; i < 1000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        sum += x * 0x9e3779b97f4a7c15ULL;
        sum = sum << 5 | sum >> 59;
    }
    return sum;
}

BODY(sum64)
{
    u64 sum = 0;
    PLAIN for (u32 i = 0; i < 512; i++) sum += B64(i);
    return sum;
}

BODY(fnv)
{
    u64 hash = 0xcbf29ce484222325ULL;
    PLAIN for (u32 i = 0; i < 1024; i++) {
        hash ^= B8(i);
        hash *= 0x100000001b3ULL;
    }
    return hash;
}

BODY(csum)
{
    u64 sum = 0;
    PLAIN for (u32 i = 0; i < 750; i++) sum += B16(i);
    sum = (sum >> 16) + (sum & 0xffff);
    sum += sum >> 16;
    return (u16)~sum;
}

BODY(div)
{
    u64 sum = 0, a = B64(1) | 3;
    PLAIN for (u32 i = 1; i <= 200; i++) {
        sum += a / (i * 7ULL + 1);
        sum += a % (i * 13ULL + 5);
    }
    return sum;
}

BODY(div32)
{
    u32 sum = 0, a = B32(1) | 3;
    PLAIN for (u32 i = 1; i <= 200; i++) {
        sum += a / (i * 7 + 1);
        sum += a % (i * 13 + 5);
    }
    return sum;
}

BODY(strcm)
{
    u32 i;
    PLAIN for (i = 0; i < 64; i++) {
        u8 a = B8(i), b = B8(2048 + i);
        if (a != b)
            return i * 2 + 1;
        if (!a)
            break;
    }
    return i;
}

BODY(copy)
{
    PLAIN for (u32 i = 0; i < 64; i++) B64(256 + i) = B64(i);
    return B64(300);
}

BODY(sort)
{
    PLAIN for (u32 i = 0; i < 32; i++) B32(512 + i) = i * 2654435761u ^ B32(3);
    PLAIN for (u32 i = 1; i < 32; i++) {
        u32 value = B32(512 + i), j = i;
        PLAIN while (j > 0 && j < 32 && B32(511 + j) > value) {
            B32(512 + j) = B32(511 + j);
            j--;
        }
        B32(512 + j) = value;
    }
    return B32(512) + B32(543);
}

// The service of a packet's port: Ethernet with or without a VLAN tag, IPv4, TCP or UDP.
BODY(pkt)
{
    u8 *p = mem;
    u16 type = p[12] << 8 | p[13];
    u32 ip = 14;
    if (type == 0x8100) {
        type = p[16] << 8 | p[17];
        ip = 18;
    }
    if (type != 0x0800)
        return 0;
    u32 header = (p[ip] & 15) * 4;
    if (header < 20)
        return 0;
    u8 protocol = p[(ip + 9) & 4095];
    u32 transport = (ip + header) & 4095;
    u16 port = B8(transport + 2) << 8 | B8(transport + 3);
    if (protocol == 6) {
        switch (port) {
        case 80: return 1;
        case 443: return 2;
        case 22: return 3;
        case 8080: return 4;
        case 3306: return 5;
        default: return 9;
        }
    }
    if (protocol == 17)
        return port == 53 ? 6 : 7;
    return 8;
}

BODY(log2hist)
{
    PLAIN for (u32 i = 0; i < 256; i++) {
        u64 value = B64(i & 255);
        u32 log, shift;
        log = (value > 0xffffffffULL) << 5, value >>= log;
        shift = (value > 0xffff) << 4, value >>= shift, log |= shift;
        shift = (value > 0xff) << 3, value >>= shift, log |= shift;
        shift = (value > 0xf) << 2, value >>= shift, log |= shift;
        shift = (value > 3) << 1, value >>= shift, log |= shift;
        log |= value >> 1;
        B32(960 + (log & 63)) += 1;
    }
    return B32(970);
}

// One function for each, as eBPF in a section of its own.
#ifdef __bpf__
#define PROGRAM(name) __attribute__((section("p_" #name), used)) u64 name(u8 *mem, u64 size) { return body_##name(mem); }
#else
#define PROGRAM(name) u64 name(u8 *mem, u64 size) { return body_##name(mem); }
#endif
