/* GObject's checks and casts are macros, which Swift cannot call. NULL means "not that kind". */
#include <gmime/gmime.h>
static inline GMimeMultipart   *cgmime_multipart(GMimeObject *o)    { return GMIME_IS_MULTIPART(o) ? GMIME_MULTIPART(o) : NULL; }
static inline GMimeMessagePart *cgmime_message_part(GMimeObject *o) { return GMIME_IS_MESSAGE_PART(o) ? GMIME_MESSAGE_PART(o) : NULL; }
static inline GMimePart        *cgmime_part(GMimeObject *o)         { return GMIME_IS_PART(o) ? GMIME_PART(o) : NULL; }
static inline GMimeObject      *cgmime_object_of_message(GMimeMessage *m) { return GMIME_OBJECT(m); }
static inline GMimeObject      *cgmime_object_of_part(GMimePart *p) { return GMIME_OBJECT(p); }
static inline GByteArray       *cgmime_mem_bytes(GMimeStream *s)    { return g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(s)); }
static inline int               cgmime_seconds(const char *date, long *seconds) {
    GDateTime *time = g_mime_utils_header_decode_date(date);
    if (time == NULL) return 0;
    *seconds = g_date_time_to_unix(time);
    g_date_time_unref(time);
    return 1;
}
static inline void              cgmime_unref(void *o)               { g_object_unref(o); }

/* A stream over bytes that stay ours and are only read: nothing is copied, nothing is freed. The array and the bytes
   must outlive the stream; the array is let go with cgmime_forget. */
static inline GMimeStream *cgmime_stream_over(GByteArray *array, const void *bytes, size_t size) {
    array->data = (guint8 *) bytes;
    array->len = (guint) size;
    GMimeStream *stream = g_mime_stream_mem_new_with_byte_array(array);
    g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
    return stream;
}
static inline void cgmime_forget(GByteArray *array) {
    array->data = NULL;
    array->len = 0;
    g_byte_array_free(array, FALSE);
}

/* memmem(3), which the C library shows only to those who ask for GNU's extensions. */
extern void *memmem(const void *haystack, size_t haystack_size, const void *needle, size_t needle_size);
static inline const void *cgmime_find(const void *bytes, size_t size, const void *wanted, size_t wanted_size) {
    return memmem(bytes, size, wanted, wanted_size);
}
