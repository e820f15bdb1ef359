/* A plugin of QEMU's that counts the instructions of the emulated machine, in user space and in the kernel apart. Each time
   the address `mark` is come to the counts so far become a line of the file `out`.

   Only what is used of QEMU's plugin interface, version 1, is declared here (docs/devel/tcg-plugins of QEMU): Debian has no
   package with its header. */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
enum { ADD_U64 = 0, NO_REGISTERS = 0 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int, void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);

EXPORT int qemu_plugin_version = 1;

static uint64_t user, kernel, mark;
static FILE *out;

static void marked(unsigned cpu, void *unused) {
  (void)cpu;
  (void)unused;
  fprintf(out, "%" PRIu64 " %" PRIu64 "\n", user, kernel);
  fflush(out);
}

/* The kernel has the upper half of the addresses. */
static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
  (void)id;
  uint64_t address = qemu_plugin_tb_vaddr(block);
  uint64_t *count = address >> 63 ? &kernel : &user;
  qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, count, qemu_plugin_tb_n_insns(block));
  if (address == mark)
    qemu_plugin_register_vcpu_tb_exec_cb(block, marked, NO_REGISTERS, NULL);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int count, char **arguments) {
  (void)info;
  for (int i = 0; i < count; i++) {
    if (strncmp(arguments[i], "out=", 4) == 0)
      out = fopen(arguments[i] + 4, "w");
    if (strncmp(arguments[i], "mark=", 5) == 0)
      mark = strtoull(arguments[i] + 5, NULL, 16);
  }
  if (out == NULL || mark == 0)
    return -1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  return 0;
}
