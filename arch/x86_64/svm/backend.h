/* The SVM backend, for whoever chooses one. */
#ifndef ARCH_SVM_BACKEND_H
#define ARCH_SVM_BACKEND_H

#include "arch/x86_64/vt/vt.h"

extern const struct vt_ops svm_ops;

#endif
