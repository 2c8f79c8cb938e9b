int my_c_add(int a, int b) { return a + b; }
char first_char(const char *text) { return *text; }
void my_c_nothing(void) {}
