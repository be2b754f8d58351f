#ifndef HV_VERSION_H
#define HV_VERSION_H

#define TRAPEZE_VERSION "Trapeze 0.1"

#endif
