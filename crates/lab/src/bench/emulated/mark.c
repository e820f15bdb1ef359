/* Enters a function at an address where no other program of the emulated machine has any, each time it is given a byte,
   and gives the byte back: that is where a count begins or ends. The linker puts the section there. */
#include <unistd.h>

__attribute__((noinline, section(".mark"))) void mark(void) { __asm__ volatile(""); }

int main(void) {
  char byte;
  while (read(0, &byte, 1) == 1) {
    mark();
    if (write(1, &byte, 1) != 1)
      return 1;
  }
  return 0;
}
