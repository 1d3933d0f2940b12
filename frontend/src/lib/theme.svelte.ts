/** Light, dark, or as the system has it. Kept in this browser: it is about the screen. */
export type Theme = 'system' | 'light' | 'dark'

const KEY = 'wassette.theme'

class ThemeStore {
  choice = $state<Theme>('system')
  readonly #dark = matchMedia('(prefers-color-scheme: dark)')

  start() {
    const kept = localStorage.getItem(KEY)
    this.choice = kept === 'light' || kept === 'dark' ? kept : 'system'
    this.#apply()
    this.#dark.addEventListener('change', () => this.#apply())
  }

  choose(theme: Theme) {
    this.choice = theme
    if (theme === 'system') localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, theme)
    this.#apply()
  }

  #apply() {
    const dark = this.choice === 'dark' || (this.choice === 'system' && this.#dark.matches)
    document.documentElement.dataset.theme = dark ? 'dark' : 'light'
  }
}

export const theme = new ThemeStore()
