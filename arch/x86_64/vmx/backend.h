/* The VMX backend, for whoever chooses one. */
#ifndef ARCH_VMX_BACKEND_H
#define ARCH_VMX_BACKEND_H

#include "arch/x86_64/vt/vt.h"

extern const struct vt_ops vmx_ops;

#endif
