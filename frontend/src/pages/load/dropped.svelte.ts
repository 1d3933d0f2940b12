/** A file dropped anywhere in the window, on its way to the Load page. */
class Dropped {
  #file = $state.raw<File | null>(null)

  put(file: File) {
    this.#file = file
  }

  /** It, once. */
  take(): File | null {
    const file = this.#file
    if (file) this.#file = null
    return file
  }
}

export const dropped = new Dropped()
