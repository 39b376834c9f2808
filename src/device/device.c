/* device.c - the list of devices. */
#include "device/device.h"

#include <string.h>

#include "device/cpu/cpu_device.h"

const struct device_ops *const devices[] = {
    &device_cpu, /* last: always there */
    NULL,
};

struct device *device_open(const struct device_opts *o, struct err *e)
{
    const char *name = o->name && o->name[0] != '\0' ? o->name : "auto";

    for (int i = 0; devices[i]; i++)
        if (strcmp(name, "auto") == 0 || strcmp(name, devices[i]->name) == 0)
            return devices[i]->open(o, e);
    err_set(e, ERR_UNSUPPORTED, "there is no device \"%s\" in this build; \"cpu\" is always there",
            name);
    return NULL;
}

void device_close(struct device *d)
{
    if (d)
        d->ops->close(d);
}
