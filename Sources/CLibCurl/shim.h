/* Swift cannot call variadic functions: one inline wrapper for each type of argument. */
#include <curl/curl.h>
typedef size_t (*cshim_write_cb)(char *, size_t, size_t, void *);
static inline CURLcode cshim_set_long(CURL *h, CURLoption o, long v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode cshim_set_str(CURL *h, CURLoption o, const char *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode cshim_set_ptr(CURL *h, CURLoption o, void *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode cshim_set_cb(CURL *h, CURLoption o, cshim_write_cb v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode cshim_get_long(CURL *h, CURLINFO i, long *v) { return curl_easy_getinfo(h, i, v); }
static inline CURLcode cshim_get_sock(CURL *h, curl_socket_t *v) { return curl_easy_getinfo(h, CURLINFO_ACTIVESOCKET, v); }
static inline CURLcode cshim_get_certinfo(CURL *h, struct curl_certinfo **v) { return curl_easy_getinfo(h, CURLINFO_CERTINFO, v); }
