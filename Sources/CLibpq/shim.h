#ifndef CLIBPQ_SHIM_H
#define CLIBPQ_SHIM_H

// libpq's own header, found through pkg-config: its folder differs between systems.
#include <libpq-fe.h>

#endif
