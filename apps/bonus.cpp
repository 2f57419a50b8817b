// bonus: BonusCloud from the command line. Everything is in bonus/cli.
#include "bonus/cli/app.hpp"

int main(int argc, char** argv) { return bonus::cli::main_of_bonus(argc, argv); }
