/* What Swift sees of libxml2. Debian's headers pull in ICU's, which clash with the ICU bundled with Foundation
   ("'UErrorCode' has different definitions in different modules"); the fields this hides are never used. */
#include <libxml/xmlversion.h>
#undef LIBXML_ICU_ENABLED
#include <libxml/parser.h>
#include <libxml/SAX2.h>
#include <libxml/xmlerror.h>
#include <libxml/parserInternals.h>
