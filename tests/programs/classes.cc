// classes [N]: calls N times (default 1) C++ functions with the same names and other parameters, members, templates
// and constructors.
#include <cstdlib>

#define TRACED __attribute__((noipa))

namespace shop {

volatile long sink;

TRACED long price(int count) { return sink += count; }
TRACED long price(const char *name, int count) { return sink += count + name[0]; }
TRACED long prices(int count) { return sink += count; }

template <typename T> TRACED T twice(T value) { return value + value; }

class Basket {
  public:
    TRACED explicit Basket(int size) : size(size) {}
    TRACED int add(int count) const { return size + count; }
    TRACED bool operator<(const Basket &other) const { return size < other.size; }

  private:
    int size;
};

} // namespace shop

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 1;
    for (int round = 0; round < rounds; round++) {
        shop::price(1);
        shop::price("name", 2);
        shop::prices(3);
        shop::sink += shop::twice<int>(4) + shop::twice<long>(5);
        shop::Basket one(6), two(7);
        shop::sink += one.add(8) + (one < two);
    }
    return 0;
}
