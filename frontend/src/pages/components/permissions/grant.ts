/** Permissions as a person thinks of them, and as the backend takes them. */
import type { Schemas } from '$lib/api/client'
import type { Permission } from '$lib/words'

type S = Schemas['schemas']
export type Grant = S['StorageGrant'] | S['NetworkGrant'] | S['EnvironmentGrant'] | S['MemoryGrant']
export type Policy = S['Policy']

export interface GrantForm {
  kind: 'storage' | 'network' | 'environment' | 'memory'
  path: string
  extent: 'below' | 'file'
  write: boolean
  host: string
  methods: 'all' | 'reading'
  key: string
  value: string
  hosts: string
  limit: string
}

export function emptyForm(): GrantForm {
  return {
    kind: 'storage',
    path: '',
    extent: 'below',
    write: false,
    host: '',
    methods: 'all',
    key: '',
    value: '',
    hosts: '',
    limit: '512Mi',
  }
}

/** What a rule that is there would have been made from, if these fields can say it. */
export function formOf(permission: Permission): GrantForm | null {
  const form = { ...emptyForm(), kind: permission.kind as GrantForm['kind'] }
  // "512 MiB" as it is shown is "512Mi" as it is written.
  if (permission.kind === 'memory')
    return { ...form, limit: permission.rule.replace(/\s*([KMG]i?)B$/, '$1').replace(/\s/g, '') }
  if (permission.action !== 'allow') return null
  switch (permission.kind) {
    case 'storage': {
      const below = /\/(\*\*)?$/.test(permission.rule)
      return {
        ...form,
        path: permission.rule.replace(/^fs:\/\/(?=\/)/, '').replace(/\/\*\*$/, '') || '/',
        extent: below ? 'below' : 'file',
        write: permission.access.includes('write'),
      }
    }
    case 'network': {
      const methods = permission.access.map((one) => one.toUpperCase()).sort().join()
      if (methods && methods !== 'GET,HEAD') return null
      return { ...form, host: permission.rule, methods: methods ? 'reading' : 'all' }
    }
    case 'environment':
      return { ...form, key: permission.rule, hosts: permission.secret_for.join(', ') }
    default:
      return null
  }
}

/** The home directory may be written as `~`. */
export function grantOf(form: GrantForm, home: string): Grant | { problem: string; field: keyof GrantForm } {
  switch (form.kind) {
    case 'storage': {
      const path = form.path.trim()
      if (!path) return { problem: 'Name a file or a folder, or choose one.', field: 'path' }
      const access: ('read' | 'write')[] = form.write ? ['read', 'write'] : ['read']
      if (path.startsWith('fs://')) return { kind: 'storage', uri: path, access }
      const full = path === '~' || path.startsWith('~/') ? home + path.slice(1) : path
      if (!full.startsWith('/') && !/^[A-Za-z]:[\\/]/.test(full))
        return { problem: 'Give the whole path, from / or ~/ on.', field: 'path' }
      const slashes = full.replaceAll('\\', '/').replace(/\/+$/, '')
      const rooted = slashes.startsWith('/') || slashes === '' ? slashes : '/' + slashes
      const uri = 'fs://' + rooted + (form.extent === 'below' && !/\*/.test(rooted) ? '/**' : '')
      return { kind: 'storage', uri: uri === 'fs://' ? 'fs:///' : uri, access }
    }
    case 'network': {
      const host = form.host.trim()
      if (!host) return { problem: 'Name a host, such as api.example.com.', field: 'host' }
      return { kind: 'network', host, methods: form.methods === 'reading' ? ['GET', 'HEAD'] : [] }
    }
    case 'environment': {
      const key = form.key.trim()
      if (!key) return { problem: 'Name a variable, such as API_KEY.', field: 'key' }
      return { kind: 'environment', key, hosts: form.hosts.split(/[\s,]+/).filter(Boolean) }
    }
    case 'memory': {
      const limit = form.limit.trim()
      if (!/^\d+(\.\d+)?(Ki|Mi|Gi|K|M|G)?$/i.test(limit)) return { problem: 'An amount with its unit, such as 512Mi.', field: 'limit' }
      return { kind: 'memory', limit }
    }
  }
}

/** What it comes to, said before it is given. */
export function grantWords(form: GrantForm, id: string, home: string): string {
  const grant = grantOf(form, home)
  if ('problem' in grant) return ''
  switch (grant.kind) {
    case 'storage': {
      const place = form.path.trim() + (form.extent === 'below' && !form.path.includes('*') && !form.path.startsWith('fs://') ? ' and below' : '')
      return `${id} may ${form.write ? "read, change, make and remove files" : "read files"} in ${place}.`
    }
    case 'network':
      return `${id} may ${grant.methods?.length ? 'read from' : 'send any request to'} ${grant.host}.`
    case 'environment':
      return grant.hosts?.length
        ? `${grant.key} is put into requests of ${id} to ${grant.hosts.join(', ')}. ${id} itself does not see it.`
        : `${id} sees the value of ${grant.key}, and could send it to any host that it may reach.`
    case 'memory':
      return `${id} may use up to ${grant.limit} of memory, for all its calls together.`
  }
}
