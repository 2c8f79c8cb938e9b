// btf_offset STRUCT FIELD...: prints each field's offset in bits, as the running kernel's BTF has it.
// Written against the kernel's documentation of BTF alone, as a second opinion on our own reader.
#include <fcntl.h>
#include <linux/btf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// The bytes behind a type's common part, by its kind.
static size_t extra(const struct btf_type *type)
{
    size_t count = BTF_INFO_VLEN(type->info);
    switch (BTF_INFO_KIND(type->info)) {
    case BTF_KIND_INT: return 4;
    case BTF_KIND_ARRAY: return sizeof(struct btf_array);
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION: return count * sizeof(struct btf_member);
    case BTF_KIND_ENUM: return count * sizeof(struct btf_enum);
    case BTF_KIND_FUNC_PROTO: return count * sizeof(struct btf_param);
    case BTF_KIND_VAR: return 4;
    case BTF_KIND_DATASEC: return count * sizeof(struct btf_var_secinfo);
    case 17: return 4;           // DECL_TAG
    case 19: return count * 12;  // ENUM64
    default: return 0;
    }
}

int main(int argc, char **argv)
{
    int file = open("/sys/kernel/btf/vmlinux", O_RDONLY);
    struct stat status;
    if (argc < 3 || file < 0 || fstat(file, &status) < 0) return 1;
    char *blob = malloc(status.st_size);
    for (off_t got = 0; got < status.st_size;) {
        ssize_t count = read(file, blob + got, status.st_size - got);
        if (count <= 0) return 1;
        got += count;
    }
    struct btf_header *header = (void *)blob;
    char *types = blob + header->hdr_len + header->type_off, *names = blob + header->hdr_len + header->str_off;
    for (char *at = types; at < types + header->type_len;) {
        struct btf_type *type = (void *)at;
        struct btf_member *members = (void *)(type + 1);
        if (BTF_INFO_KIND(type->info) == BTF_KIND_STRUCT && !strcmp(names + type->name_off, argv[1]))
            for (int field = 2; field < argc; field++)
                for (int i = 0; i < BTF_INFO_VLEN(type->info); i++)
                    if (!strcmp(names + members[i].name_off, argv[field]))
                        printf("%s %u\n", argv[field], members[i].offset & 0xffffff);
        at += sizeof *type + extra(type);
    }
    return 0;
}
