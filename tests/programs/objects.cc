// objects: calls member functions, and functions that take objects by value and by reference, once each.
#include <string>

#define TRACED __attribute__((noipa))

namespace shop {

struct Base {
    int id;
    virtual ~Base() {}
};

enum class Kind : unsigned char { Plain = 1, Fancy = 200 };

struct Item : Base {
    Kind kind;
    int prices[3];
    static int count;
    explicit Item(int first) : kind(Kind::Fancy), prices{ first, first + 1, first + 2 } { id = first * 100; }
    TRACED int price(int index, const int &by) const { return prices[index] * by; }
};

struct Plain { int a, b; };
struct Empty {};

// Copies of it are made by code, so its address is passed.
class Counted {
  public:
    int number;
    explicit Counted(int number) : number(number) {}
    Counted(const Counted &other) : number(other.number) {}
};

struct Holder { Counted inside; };

volatile long sink;

TRACED int pass(Counted counted, Plain plain, Empty, Holder holder, Plain &reference, long after)
{
    return sink += counted.number + plain.a + holder.inside.number + reference.b + after;
}
TRACED Counted give(int number) { return Counted(number); }
TRACED long length(std::string text, long after) { return sink += text.size() + after; }

}

int main()
{
    using namespace shop;
    Item item(7);
    Counted counted(31);
    Holder holder{ counted };
    Plain plain{ 41, 42 }, other{ 51, 52 };
    sink += item.price(2, 3);
    pass(counted, plain, Empty(), holder, other, 61);
    sink += give(71).number;
    length("hello", 81);
    return 0;
}
