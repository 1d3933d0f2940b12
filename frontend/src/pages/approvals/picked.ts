// What a person picks in the file picker, as a rule. The server decides whether it is one, and
// whether it allows what was asked; here it is only said early.

export interface Asked {
  access: string[]
  /** The path as far as it is fixed: `/home/me/notes` of `/home/me/notes/*.md`. */
  path: string
  /** Whether everything below is meant, too. */
  below: boolean
}

const SCHEME = 'fs://'

/** Of a rule that is offered: `read fs:///home/me/a.md`. Null if it is none of a path on this machine. */
export function asked(rule: string | null): Asked | null {
  if (rule === null) return null
  const at = rule.indexOf(SCHEME)
  if (at < 0 || rule[at + SCHEME.length] !== '/') return null
  const access = rule.slice(0, at).split(',').map((word) => word.trim()).filter(Boolean)
  const fixed: string[] = []
  let below = false
  for (const name of segments(rule.slice(at + SCHEME.length))) {
    if (isWild(name)) {
      below = true
      break
    }
    fixed.push(name)
  }
  return { access, path: '/' + fixed.join('/'), below }
}

export const folderOf = (path: string): string => '/' + segments(path).slice(0, -1).join('/')

/** Why this cannot be given with a click; null if it can. */
export function obstacle(path: string): string | null {
  if (segments(path).some(isWild)) {
    return 'Its name has a * or ? in it, which in a rule would stand for more than this name.'
  }
  if (path.length > 900) return 'Its path is too long to be shown in full.'
  return null
}

export function ruleFor(access: string[], path: string, kind: 'file' | 'directory'): string {
  const words = access.length ? `${access.join(',')} ` : ''
  const below = kind === 'directory' ? (path.endsWith('/') ? '**' : '/**') : ''
  return `${words}${SCHEME}${path}${below}`
}

/**
 * Whether what is picked is, holds, or (where an agent asks for a directory) is within what was asked.
 */
export function related(picked: string, kind: 'file' | 'directory', wanted: Asked, part: boolean): boolean {
  const one = segments(picked)
  const other = segments(wanted.path)
  const holds = kind === 'directory' && one.every((name, index) => other[index] === name)
  const same = one.length === other.length && one.every((name, index) => other[index] === name)
  const within = part && wanted.below && other.every((name, index) => one[index] === name)
  return holds || same || within
}

function segments(path: string): string[] {
  return path.split('/').filter(Boolean)
}

function isWild(name: string): boolean {
  return name.includes('*') || name.includes('?')
}
