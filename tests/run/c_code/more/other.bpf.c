// Calls what another file defines; its own variables have names that others have, too.
int c_add(int a, int b);
static long counter = 100;
int add_three(int a, int b, int c) { return c_add(c_add(a, b), c); }
long other_one(void) { return ++counter; }
