// What the name of a resource promises: a script, a font or an image is never a page.
//
// An origin that lost a file often answers its URL with a page instead: the start page of an
// application, a login form, or its error page with the status 200. Nothing but the end of the path
// tells that such an answer is not what was asked for.
#pragma once

#include <string_view>

namespace perigee::http {

/// The last segment of the path ends in the suffix of what a page loads and what is never a page: a
/// script, a stylesheet, a font, an image, a film, sound, WebAssembly, a source map or a manifest.
/// Data (.json, .xml, .txt, .csv) and documents (.pdf) do not count: they are also read alone.
/// Letters in any case. A query behind the path is not looked at; nothing is decoded.
bool is_asset_shaped(std::string_view path);

/// A page came where the path promises a script, a stylesheet, a font, an image, WebAssembly or a
/// source map: the media type is text/html, or application/xhtml+xml for all but .svg, which is XML
/// too. Films and sound do not count: players are pages with such names. `content_type` is the
/// value of the field, with or without parameters.
bool contradicts_shape(std::string_view path, std::string_view content_type);

}  // namespace perigee::http
