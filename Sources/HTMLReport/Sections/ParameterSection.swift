import MergeEngine

/// The options that the run was given, or had by default.
struct ParameterSection {
  private let model: Model

  init(_ run: StoredRun) {
    model = Model(
      hasParameters: !run.parameters.isEmpty,
      lines: run.parameters.map { Line(name: $0.name, value: $0.value) }
    )
  }

  var html: String { Self.template.render(model) }

  private struct Model {
    let hasParameters: Bool
    let lines: [Line]
  }

  private struct Line {
    let name: String
    let value: String?
  }

  private static let template = Template(
    """
    <section aria-labelledby="parameters">
    <h2 id="parameters">Parameters</h2>
    {{^hasParameters}}
    <p>None are recorded.</p>
    {{/hasParameters}}
    {{#hasParameters}}
    <div class="scroll" tabindex="0" role="region" aria-label="Parameters">
    <table class="fit">
    <caption>As merge_summary.parameters has them</caption>
    <thead><tr><th scope="col">name</th><th scope="col">value</th></tr></thead>
    <tbody>
    {{#lines}}
    <tr><th scope="row"><code>{{name}}</code></th><td class="text">{{#value}}<bdi>{{.}}</bdi>{{/value}}{{^value}}<span class="unset">not set</span>{{/value}}</td></tr>
    {{/lines}}
    </tbody>
    </table>
    </div>
    {{/hasParameters}}
    </section>
    """
  )
}
