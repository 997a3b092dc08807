import ChildEnvironment
import Foundation
import TestSupport
import Testing

/// Opens a page in a real headless Chromium, and says what it shows.
///
/// The page stands in a frame, and a script of the frame's owner looks at it: the page itself has none, and allows none.
enum Chromium {
  /// The colours that the reader prefers.
  enum Scheme: Int, CaseIterable {
    // As Chromium's own setting counts them (`preferredColorScheme`).
    case dark = 0
    case light = 1
  }

  /// What a page shows.
  struct View: Decodable {
    let title: String
    let language: String
    /// The text as it is rendered, line by line.
    let text: String
    /// `h1`, `h2`, … in the order of the page.
    let headings: [String]
    /// How many elements there are by tag, in lower case.
    let elements: [String: Int]
    /// Addresses that were asked for, the page's own left out.
    let requests: [String]
    /// Pictures that a screen reader could not tell, tables without a caption, header cells without a scope.
    let unnamed: [String]
    /// Sections with a picture and no table.
    let sectionsWithoutTable: [String]
    /// The lowest contrast of any text to what it stands on, with that text.
    let lowestContrast: Double
    let faintestText: String
    /// How much wider than the window the page is.
    let overflowPixels: Int
    let background: String
    /// Attributes whose names begin with `on`.
    let handlers: Int
    /// Tables that can't be seen.
    let hiddenTables: [String]
    /// Width and height of every filled area of a chart, as drawn.
    let areas: [[Double]]
    /// The segments of every bar by their style's class, with their widths as drawn.
    let bars: [[String: Double]]
  }

  /// What went wrong in looking.
  struct Failure: Error {
    let what: String
  }

  /// Opens the page in a window of that width.
  ///
  /// - Parameter asPrinted: with the style of paper, and nothing opened that is closed.
  static func open(
    _ html: String,
    scheme: Scheme = .light,
    width: Int = 1200,
    asPrinted: Bool = false
  ) async throws -> View {
    let html = asPrinted ? html.replacing("@media print", with: "@media all") : html
    let folder = FileManager.default.temporaryDirectory.appending(path: "merge-engine-page-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try Data(html.utf8).write(to: folder.appending(path: "page.html"))
    let frame = folder.appending(path: "frame.html")
    try Data(owner(width: width, opens: !asPrinted).utf8).write(to: frame)
    let document = try await Lane.working.turn { try await dump(frame, scheme, folder) }
    guard let start = document.firstRange(of: "<pre id=\"seen\">"),
      let end = document.firstRange(of: "</pre>"), start.upperBound < end.lowerBound
    else { throw Failure(what: "Chromium did not open the page: \(document.prefix(500))") }
    // The JSON is base64 so that no markup in it could be mistaken for the frame's own.
    guard let json = Data(base64Encoded: String(document[start.upperBound..<end.lowerBound])) else {
      throw Failure(what: "no base64: \(document[start.upperBound..<end.lowerBound].prefix(200))")
    }
    return try JSONDecoder().decode(View.self, from: json)
  }

  private static func dump(_ page: URL, _ scheme: Scheme, _ folder: URL) async throws -> String {
    let process = Process()
    let output = folder.appending(path: "document")
    try Data().write(to: output)
    process.executableURL = try executable()
    process.arguments = [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--allow-file-access-from-files",
      "--blink-settings=preferredColorScheme=\(scheme.rawValue)", "--user-data-dir=\(folder.path)/profile",
      "--window-size=1600,1200", "--dump-dom", page.absoluteString,
    ]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = FileHandle.nullDevice
    try process.run()
    while process.end == nil { try await Task.sleep(for: .milliseconds(10)) }
    return try String(contentsOf: output, encoding: .utf8)
  }

  /// A missing browser is a failure, not a reason to skip: what nobody has opened, nobody has seen.
  private static func executable() throws -> URL {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    for name in ["chromium", "chromium-browser", "google-chrome"] {
      for folder in folders {
        let path = "\(folder)/\(name)"
        if FileManager.default.isExecutableFile(atPath: path) { return URL(filePath: path) }
      }
    }
    throw Failure(what: "there is no Chromium; install Debian's package chromium (.ci/install-dependencies does)")
  }

  private static func owner(width: Int, opens: Bool) -> String {
    """
    <!DOCTYPE html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
    <iframe id="frame" src="page.html" style="border: 0; width: \(width)px; height: 1000px"></iframe>
    <pre id="seen"></pre>
    <script>const opens = \(opens); \(script)</script>
    """
  }

  private static let script = #"""
    function channels(colour) { return (colour.match(/[\d.]+/g) || []).map(Number); }
    function luminance([r, g, b]) {
      const [x, y, z] = [r, g, b].map(c => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
      return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    }
    function ground(element, view) {
      for (let e = element; e; e = e.parentElement) {
        const c = channels(view.getComputedStyle(e).backgroundColor);
        if (c.length < 4 || c[3] > 0) return c;
      }
      return [255, 255, 255];
    }
    function contrast(a, b) {
      const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
      return (x + 0.05) / (y + 0.05);
    }
    document.getElementById("frame").onload = event => {
      const view = event.target.contentWindow, page = view.document, seen = {};
      const all = [...page.querySelectorAll("*")];
      const name = e => e.tagName + " " + (e.textContent || "").trim().slice(0, 40);
      seen.title = page.title;
      seen.language = page.documentElement.lang;
      if (opens) for (const d of page.querySelectorAll("details")) d.open = true;
      seen.text = page.body.innerText;
      seen.headings = [...page.querySelectorAll("h1, h2, h3, h4, h5, h6")].map(e => e.tagName.toLowerCase());
      seen.elements = {};
      for (const e of all) { const t = e.tagName.toLowerCase(); seen.elements[t] = (seen.elements[t] || 0) + 1; }
      seen.requests = view.performance.getEntriesByType("resource").map(r => r.name);
      const ids = e => (e.getAttribute("aria-labelledby") || "").split(" ").every(i => i && page.getElementById(i));
      seen.unnamed = [
        ...[...page.querySelectorAll("svg:not([aria-hidden])")].filter(
          e => e.getAttribute("role") !== "img" || !(e.getAttribute("aria-label") || ids(e))),
        ...[...page.querySelectorAll("table")].filter(e => !e.caption || !e.caption.textContent.trim()),
        ...[...page.querySelectorAll("th")].filter(e => !e.scope),
        ...[...page.querySelectorAll("section")].filter(e => !ids(e)),
      ].map(name);
      seen.sectionsWithoutTable = [...page.querySelectorAll("section")]
        .filter(e => e.querySelector("svg[role=img]") && !e.querySelector("table tbody td")).map(name);
      seen.lowestContrast = 99;
      seen.faintestText = "";
      for (const e of all) {
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !e.getClientRects().length) continue;
        if (e.closest("svg")) continue;
        const c = contrast(channels(view.getComputedStyle(e).color), ground(e, view));
        if (c < seen.lowestContrast) { seen.lowestContrast = c; seen.faintestText = name(e); }
      }
      seen.overflowPixels = page.documentElement.scrollWidth - page.documentElement.clientWidth;
      seen.background = view.getComputedStyle(page.documentElement).backgroundColor;
      seen.handlers = all.flatMap(e => [...e.attributes]).filter(a => a.name.toLowerCase().startsWith("on")).length;
      const box = e => e.getBoundingClientRect();
      seen.hiddenTables = [...page.querySelectorAll("table")]
        .filter(e => !e.checkVisibility({ contentVisibilityAuto: true, visibilityProperty: true }) || !box(e).height)
        .map(name);
      seen.areas = [...page.querySelectorAll("path.area")].map(e => [box(e).width, box(e).height]);
      seen.bars = [...page.querySelectorAll("svg.bar")].map(e => Object.fromEntries(
        [...e.querySelectorAll("rect:not(.empty)")].map(r => [r.getAttribute("class"), box(r).width])));
      const bytes = new TextEncoder().encode(JSON.stringify(seen));
      document.getElementById("seen").textContent = btoa(Array.from(bytes, b => String.fromCharCode(b)).join(""));
    };
    """#
}
