#include "boot/uefi/files.h"
#include "hv/lib/str.h"

#define PATH_SIZE (BOOT_NAME_SIZE + 16)

static EFI_FILE_HANDLE root;

EFI_STATUS files_open_volume(void)
{
    EFI_GUID loaded_image = LOADED_IMAGE_PROTOCOL, file_system = SIMPLE_FILE_SYSTEM_PROTOCOL;
    EFI_LOADED_IMAGE *self;
    EFI_FILE_IO_INTERFACE *volume;
    EFI_STATUS status = loader.services->HandleProtocol(loader.image, &loaded_image, (void **)&self);
    if (!EFI_ERROR(status))
        status = loader.services->HandleProtocol(self->DeviceHandle, &file_system, (void **)&volume);
    if (!EFI_ERROR(status))
        status = volume->OpenVolume(volume, &root);
    return status;
}

static EFI_STATUS open_file(const char *name, UINT64 mode, EFI_FILE_HANDLE *file)
{
    static const char folder[] = "\\trapeze\\";
    CHAR16 path[PATH_SIZE];
    size_t n = 0;
    for (const char *s = folder; *s; s++)
        path[n++] = (CHAR16)*s;
    for (const char *s = name; *s; s++) {
        if (n == PATH_SIZE - 1)
            return EFI_NOT_FOUND;
        path[n++] = *s == '/' ? '\\' : (CHAR16)(unsigned char)*s;
    }
    path[n] = 0;
    return root->Open(root, file, path, mode, 0);
}

static EFI_STATUS file_size(EFI_FILE_HANDLE file, uint64_t *size)
{
    static union {
        EFI_FILE_INFO info;
        char raw[sizeof(EFI_FILE_INFO) + 512]; /* with the longest name that FAT has */
    } buffer;
    EFI_GUID id = EFI_FILE_INFO_ID;
    UINTN bytes = sizeof buffer;
    EFI_STATUS status = file->GetInfo(file, &id, &bytes, &buffer);
    if (EFI_ERROR(status))
        return status;
    *size = buffer.info.FileSize;
    return buffer.info.Attribute & EFI_FILE_DIRECTORY ? EFI_NOT_FOUND : EFI_SUCCESS;
}

/* One large read: firmware file systems turn it into few large disk transfers. */
static EFI_STATUS read_whole(EFI_FILE_HANDLE file, struct file *out)
{
    EFI_STATUS status = file_size(file, &out->size);
    if (EFI_ERROR(status))
        return status;
    uint64_t room = MAX(out->size, (uint64_t)1);
    out->base = efi_allocate(EfiLoaderData, room);
    if (!out->base)
        return EFI_OUT_OF_RESOURCES;
    UINTN got = out->size;
    status = file->Read(file, &got, (void *)out->base);
    if (!EFI_ERROR(status) && got != out->size)
        status = EFI_DEVICE_ERROR;
    if (EFI_ERROR(status))
        loader.services->FreePages(out->base, EFI_SIZE_TO_PAGES(room));
    return status;
}

EFI_STATUS files_read(const char *name, struct file *out)
{
    EFI_FILE_HANDLE file;
    EFI_STATUS status = open_file(name, EFI_FILE_MODE_READ, &file);
    if (EFI_ERROR(status))
        return status;
    status = read_whole(file, out);
    file->Close(file);
    return status;
}

EFI_STATUS files_write(const char *name, const void *data, uint64_t size)
{
    const UINT64 mode = EFI_FILE_MODE_READ | EFI_FILE_MODE_WRITE;
    EFI_FILE_HANDLE file;
    if (!EFI_ERROR(open_file(name, mode, &file)))
        file->Delete(file); /* closes it; else a longer old text would stick out behind the new */
    EFI_STATUS status = open_file(name, mode | EFI_FILE_MODE_CREATE, &file);
    if (EFI_ERROR(status))
        return status;
    UINTN bytes = size;
    status = file->Write(file, &bytes, (void *)(uintptr_t)data);
    EFI_STATUS closed = file->Close(file);
    return EFI_ERROR(status) ? status : closed;
}
