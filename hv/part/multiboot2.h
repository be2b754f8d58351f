/* The boot information of Multiboot 2. Private to its loader. */
#ifndef HV_PART_MULTIBOOT2_H
#define HV_PART_MULTIBOOT2_H

#include "hv/part/multiboot.h"

#define MULTIBOOT2_LAST_KNOWN 21u /* information types 0 .. 21 are defined by the specification */

/* Place and write the tags; their address goes to *address. `no_text`: leave out the text-mode screen;
 * `relocated`: say where the image is. */
enum load_status multiboot2_build_info(struct load_job *job, const struct multiboot *mb, bool no_text, bool relocated,
                                       uint64_t *address) MUST_CHECK;

#endif
