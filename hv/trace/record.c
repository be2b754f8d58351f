#include "hv/trace/record.h"

static const char *const types[TRACE_TYPES] = {
    [TRACE_NOTHING] = "nothing",
#define TYPE_NAME(type, word) [TRACE_##type] = word,
    TRACE_TYPE_LIST(TYPE_NAME)
#undef TYPE_NAME
};

static const char *const infos[TRACE_INFOS] = {
#define INFO_NAME(info, word) [TRACE_INFO_##info] = word,
    TRACE_INFO_LIST(INFO_NAME)
#undef INFO_NAME
};

const char *trace_type_name(unsigned type)
{
    return type < TRACE_TYPES ? types[type] : "?";
}

const char *trace_info_name(unsigned info)
{
    return info < TRACE_INFOS ? infos[info] : "?";
}
