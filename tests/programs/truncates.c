// `truncates FILE BYTES`: sets the length of a file by its name.
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    return argc != 3 || truncate(argv[1], atol(argv[2])) != 0;
}
