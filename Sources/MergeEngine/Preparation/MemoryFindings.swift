/// Whether production is larger than the memory that the server has for it, and what the merge does about that.
struct MemoryFindings {
  let table: TablePlan

  func all() -> [Finding] {
    let fit = table.cacheFit
    guard fit.isLikelyCold else { return [] }
    return [
      .warning(
        table.name,
        "\(table.production) is likely to be cold: with its indexes it has \(Numbers.bytes(fit.byteCount)), and the server counts on "
          + "\(Numbers.bytes(fit.cacheByteCount)) of memory for all tables, so that most pages have to be read from disk. The merge "
          + "has them read ahead. If there is more memory than that, say so in effective_cache_size."
      )
    ]
  }
}
