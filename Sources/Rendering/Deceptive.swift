/// Whether a scalar does something other than show itself: control characters (C0, DEL, C1), bidi controls, zero-width and other format
/// characters, tags, line and paragraph separators, blanks that are none to the eye, and what has no meaning yet.
///
/// The one rule for all formats. Text and CSV make such a scalar visible (``visible(_:)``); JSON, which must stay exact, escapes it.
func isDeceptive(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x20...0x7E: return false
    case 0x00...0x1F, 0x7F...0x9F: return true
    // Blank but not classed as format characters: combining grapheme joiner, Hangul and Khmer fillers, Mongolian
    // selectors, braille blank, variation selectors beyond the two that choose text or emoji form.
    case 0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B...0x180F, 0x2800, 0x3164, 0xFE00...0xFE0D, 0xFFA0, 0xE0100...0xE01EF: return true
    default: break
    }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse: return true
    default: return false
    }
}

/// A scalar in its visible form, `\u{1b}`.
func visible(_ scalar: Unicode.Scalar) -> String { "\\u{\(String(scalar.value, radix: 16))}" }
