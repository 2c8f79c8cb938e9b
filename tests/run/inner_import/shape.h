/* A struct that only one block asks for. */
struct shape {
    char name[12];
    int sides;
};
