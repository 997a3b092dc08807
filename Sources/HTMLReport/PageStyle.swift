/// The style sheet of the page.
///
/// The colours of verdicts keep a contrast of 3:1 to the ground where they speak for themselves, and differ in lightness
/// where they touch (WCAG 2.2, 1.4.1 and 1.4.11); text keeps 4.5:1.
enum PageStyle {
  static let text = colours + layout + charts + tables + paper

  private static let colours = """
    :root {
      color-scheme: light dark;
      --ground: #ffffff; --raised: #f5f7f9; --text: #1a1f24; --muted: #57606a; --rule: #d5dbe1;
      --good: #116b3a; --good-ground: #e3f3ea; --caution: #7d4e00; --caution-ground: #fdf0d5;
      --bad: #a3160f; --bad-ground: #fde8e6; --neutral: #3d4854; --neutral-ground: #e9edf1;
      --inserted: #00508f; --updated: #3b93d6; --unchanged: #c9d0d7; --stale: #8a949e; --duplicate: #4a545e;
      --refused: #cf4500; --area: #3b93d6; --area-line: #00508f;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --ground: #12161a; --raised: #1a2026; --text: #e4e9ee; --muted: #9ba7b3; --rule: #303942;
        --good: #6fd39b; --good-ground: #14301f; --caution: #f0bd5c; --caution-ground: #33270f;
        --bad: #ff9a8f; --bad-ground: #3a1714; --neutral: #c0cad4; --neutral-ground: #262e36;
        --inserted: #2f86cf; --updated: #8ccbf7; --unchanged: #3d4751; --stale: #76818c; --duplicate: #b6c0ca;
        --refused: #ff8a47; --area: #2f86cf; --area-line: #8ccbf7;
      }
    }

    """

  private static let layout = """
    * { box-sizing: border-box; }
    html { background: var(--ground); color: var(--text); -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
    body { margin: 0; font: 0.9375rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", sans-serif; font-variant-numeric: tabular-nums; }
    main, footer { max-width: 66rem; margin: 0 auto; padding: 0 1.5rem; }
    header { padding: 2.5rem 0 0; }
    .overline { margin: 0; color: var(--muted); font-size: 0.8125rem; letter-spacing: 0.02em; }
    h1 { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 0.875rem; margin: 0.125rem 0 0.5rem; font-size: 2rem; line-height: 1.2; font-weight: 650; letter-spacing: -0.015em; }
    h2 { margin: 0 0 0.75rem; font-size: 1.125rem; line-height: 1.3; font-weight: 650; }
    h3 { margin: 1.25rem 0 0.375rem; font-size: 0.8125rem; font-weight: 600; color: var(--muted); }
    p { margin: 0 0 0.75rem; max-width: 46rem; }
    .lead { font-size: 1.0625rem; max-width: 44rem; overflow-wrap: anywhere; }
    section { margin-top: 2.25rem; padding-top: 1.5rem; border-top: 1px solid var(--rule); }
    .status { display: inline-block; padding: 0.1em 0.6em; border-radius: 0.3em; font-size: 0.8125rem; line-height: 1.6; font-weight: 650; letter-spacing: 0.03em; white-space: nowrap; color: var(--neutral); background: var(--neutral-ground); }
    .status.good { color: var(--good); background: var(--good-ground); }
    .status.caution { color: var(--caution); background: var(--caution-ground); }
    .status.bad { color: var(--bad); background: var(--bad-ground); }
    dl { margin: 0; }
    dt { color: var(--muted); font-size: 0.8125rem; }
    dd { margin: 0; overflow-wrap: anywhere; }
    .figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 1rem 1.5rem; margin: 1.5rem 0 1.25rem; padding: 1.125rem 0; border-block: 1px solid var(--rule); }
    .figures dd { font-size: 1.5rem; line-height: 1.25; font-weight: 600; letter-spacing: -0.01em; }
    .figures small { font-size: 0.8125rem; font-weight: 400; letter-spacing: 0; color: var(--muted); }
    .facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 0.25rem 1.5rem; font-size: 0.875rem; }
    .facts div { display: flex; gap: 0.75rem; }
    .facts dt { flex: 0 0 5rem; font-size: inherit; }
    .note, small { color: var(--muted); font-size: 0.8125rem; }
    .note { margin: 0.375rem 0 0; }
    .findings { margin: 0; padding: 0; list-style: none; }
    .findings li { margin: 0 0 0.5rem; padding-left: 0.875rem; border-left: 3px solid var(--caution); max-width: 54rem; overflow-wrap: anywhere; }
    bdi { white-space: pre-wrap; }
    code { font: 0.875em/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; overflow-wrap: anywhere; }
    footer { margin-top: 2.5rem; padding-bottom: 2.5rem; color: var(--muted); font-size: 0.8125rem; }
    footer p { padding-top: 1rem; border-top: 1px solid var(--rule); max-width: none; }
    :focus-visible { outline: 2px solid var(--area-line); outline-offset: 2px; }

    """

  private static let charts = """
    figure { margin: 0 0 1.25rem; }
    figcaption { color: var(--muted); font-size: 0.8125rem; margin-bottom: 0.375rem; }
    svg { display: block; width: 100%; }
    .legend { display: flex; flex-wrap: wrap; gap: 0.125rem 1.125rem; margin: 0 0 0.625rem; padding: 0; list-style: none; font-size: 0.8125rem; }
    .legend li { display: flex; align-items: center; gap: 0.4rem; }
    .swatch { width: 0.6875rem; height: 0.6875rem; }
    .inserted { fill: var(--inserted); } .updated { fill: var(--updated); } .unchanged { fill: var(--unchanged); }
    .stale { fill: var(--stale); } .duplicate { fill: var(--duplicate); } .refused { fill: var(--refused); }
    .empty { fill: var(--raised); }
    .bars, .strips { display: grid; grid-template-columns: minmax(4rem, max-content) 1fr max-content; gap: 0.4rem 0.875rem; font-size: 0.875rem; }
    .row { display: grid; grid-template-columns: subgrid; grid-template-areas: "label bar count"; grid-column: 1 / -1; align-items: center; }
    .row svg { grid-area: bar; }
    .bar-label { grid-area: label; max-width: 14rem; overflow-wrap: anywhere; }
    .bar-count { grid-area: count; text-align: right; color: var(--muted); }
    .bar { height: 1.125rem; }
    .strips { gap: 0.125rem 0.875rem; }
    .strips svg { height: 1.75rem; }
    .plot { display: grid; grid-template-columns: max-content 1fr; gap: 0.375rem 0.625rem; padding-top: 0.5rem; font-size: 0.75rem; color: var(--muted); }
    .plot svg { height: 10rem; }
    .y-axis { display: flex; flex-direction: column; justify-content: space-between; text-align: right; margin: -0.5rem 0; }
    .x-axis { grid-column: 2; display: flex; justify-content: space-between; }
    .area { fill: var(--area); fill-opacity: 0.35; stroke: var(--area-line); stroke-width: 1.25; vector-effect: non-scaling-stroke; }
    .grid, .axis { fill: none; stroke: var(--rule); stroke-width: 1; vector-effect: non-scaling-stroke; }
    .axis { stroke: var(--muted); }

    """

  private static let tables = """
    .scroll { overflow-x: auto; margin-bottom: 0.75rem; }
    table { width: 100%; border-collapse: collapse; font-size: 0.875rem; }
    table.fit { width: auto; min-width: min(24rem, 100%); }
    caption { caption-side: top; text-align: left; color: var(--muted); font-size: 0.8125rem; padding: 0 0 0.375rem; max-width: min(52rem, calc(100vw - 2rem)); }
    th, td { padding: 0.3125rem 0.75rem; text-align: left; vertical-align: top; white-space: nowrap; border-bottom: 1px solid var(--rule); }
    thead th { white-space: normal; }
    th:first-child, td:first-child { padding-left: 0; }
    th:last-child, td:last-child { padding-right: 0; }
    thead th { color: var(--muted); font-weight: 500; font-size: 0.8125rem; vertical-align: bottom; border-bottom-color: var(--muted); }
    tbody th { font-weight: 500; }
    th bdi { white-space: pre; }
    td bdi { overflow-wrap: anywhere; }
    tfoot th, tfoot td { font-weight: 650; border-bottom: 0; border-top: 1px solid var(--muted); }
    .n { text-align: right; }
    td.text { white-space: normal; overflow-wrap: anywhere; min-width: 10rem; }
    td.keys { min-width: 14rem; }
    td.alert { color: var(--bad); font-weight: 650; }
    .unset { color: var(--muted); }
    details { margin-top: 0.25rem; }
    summary { cursor: pointer; color: var(--muted); font-size: 0.8125rem; padding: 0.25rem 0; }
    details[open] summary { margin-bottom: 0.5rem; }

    """

  /// On paper the ground is white, every table is open, and the colours of the bars are printed.
  private static let paper = """
    @media (max-width: 34rem) {
      main, footer { padding: 0 1rem; }
      header { padding-top: 1.5rem; }
      .figures { grid-template-columns: 1fr 1fr; }
      .bars, .strips { grid-template-columns: 1fr max-content; }
      .row { grid-template-areas: "label count" "bar bar"; row-gap: 0.125rem; }
      .x-axis span:nth-child(even) { display: none; }
    }
    @media print {
      :root {
        color-scheme: light;
        --ground: #ffffff; --raised: #ffffff; --text: #000000; --muted: #444c55; --rule: #c4cbd2;
        --good: #116b3a; --good-ground: #ffffff; --caution: #7d4e00; --caution-ground: #ffffff; --bad: #a3160f;
        --bad-ground: #ffffff; --neutral: #3d4854; --neutral-ground: #ffffff;
        --inserted: #00508f; --updated: #3b93d6; --unchanged: #c9d0d7; --stale: #8a949e; --duplicate: #4a545e;
        --refused: #cf4500; --area: #3b93d6; --area-line: #00508f;
      }
      @page { margin: 16mm 14mm; }
      body { font-size: 9.5pt; }
      main, footer { max-width: none; padding: 0; }
      header { padding-top: 0; }
      section { margin-top: 1.25rem; padding-top: 1rem; }
      .status { border: 1px solid currentColor; }
      .scroll { overflow: visible; }
      table { font-size: 8pt; }
      th, td { padding: 0.15rem 0.3rem; white-space: normal; overflow-wrap: anywhere; }
      .n { white-space: nowrap; overflow-wrap: normal; }
      .figures { grid-template-columns: repeat(5, auto); }
      .figures dd { font-size: 1.25rem; }
      .facts { grid-template-columns: 1fr 1fr; }
      h2, h3, figcaption, caption { break-after: avoid; }
      .plot, .row, .legend, tr, .findings li { break-inside: avoid; }
      thead { display: table-header-group; }
      summary { display: none; }
      details::details-content { content-visibility: visible; display: block; height: auto; }
      svg { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
    }
    @media (forced-colors: active) {
      svg { forced-color-adjust: none; }
      .status { border: 1px solid; }
    }
    """
}
