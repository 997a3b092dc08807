import Foundation
import MergeEngine

/// A run as one HTML file that needs nothing beside it: no network, no script, no other file.
///
/// ```
/// admin tables ─StoredRuns─▶ StoredRun ─sections─▶ RunPage ─▶ file
/// ```
/// A target of its own, since nothing else needs a template engine; it reads no database and writes no file.
package struct RunPage {
  private let run: StoredRun

  /// A page about `run`.
  package init(_ run: StoredRun) {
    self.run = run
  }

  /// The whole page, ASCII but for the values that are not.
  package func html() -> String {
    Self.template.render(
      Model(
        style: PageStyle.text,
        title: "Run \(run.id)",
        status: StatusMark(run),
        sentence: Sentence.about(run),
        keyFigures: KeyFigure.all(run),
        facts: Fact.all(run),
        verdicts: VerdictSection(run).html,
        rates: RateSection(run).html,
        refusals: RefusalSection(run).html,
        warnings: WarningSection(run).html,
        verification: VerificationSection(run).html,
        parameters: ParameterSection(run).html,
        place: run.place,
        readAt: Times.utc(run.readAt),
        engineVersion: EngineVersion.current
      )
    )
  }

  private struct Model {
    let style: String
    let title: String
    let status: StatusMark
    let sentence: String
    let keyFigures: [KeyFigure]
    let facts: [Fact]
    let verdicts: String
    let rates: String
    let refusals: String
    let warnings: String
    let verification: String
    let parameters: String
    let place: StoredRun.Place
    let readAt: String
    let engineVersion: String
  }

  /// Three braces only where the text is this target's own HTML.
  private static let template = Template(
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="robots" content="noindex">
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
    <title>{{title}} - {{status.word}} - merge-engine</title>
    <style>
    {{{style}}}
    </style>
    </head>
    <body>
    <main>
    <header>
    <p class="overline">merge-engine &middot; run report</p>
    <h1>{{title}} <span class="status {{status.tone}}"><span aria-hidden="true">{{status.symbol}}</span> {{status.word}}</span></h1>
    <p class="lead">{{sentence}}</p>
    <dl class="figures">
    {{#keyFigures}}
    <div><dt>{{label}}</dt><dd>{{value}}{{#unit}} <small>{{.}}</small>{{/unit}}</dd></div>
    {{/keyFigures}}
    </dl>
    <dl class="facts">
    {{#facts}}
    <div><dt>{{label}}</dt><dd>{{value}}</dd></div>
    {{/facts}}
    </dl>
    </header>
    {{{verdicts}}}
    {{{rates}}}
    {{{refusals}}}
    {{{warnings}}}
    {{{verification}}}
    {{{parameters}}}
    </main>
    <footer>
    <p>Read {{readAt}} from the schema <bdi>{{place.adminSchema}}</bdi> of the database <bdi>{{place.database}}</bdi>,
    PostgreSQL {{place.serverVersion}}, by merge-engine {{engineVersion}}. All times are UTC.</p>
    </footer>
    </body>
    </html>

    """
  )
}
