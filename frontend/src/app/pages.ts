/** Which page an address leads to. Each is loaded when it is first wanted, from its own folder. */
import Activity from '@lucide/svelte/icons/activity'
import Boxes from '@lucide/svelte/icons/boxes'
import House from '@lucide/svelte/icons/house'
import MonitorSmartphone from '@lucide/svelte/icons/monitor-smartphone'
import Settings from '@lucide/svelte/icons/settings'
import ShieldQuestionMark from '@lucide/svelte/icons/shield-question-mark'
import type { Component } from 'svelte'

export interface PageEntry {
  name: string
  label: string
  href: string
  icon?: Component
  load: () => Promise<{ default: Component }>
}

/** In the order of the rail. */
export const RAIL: PageEntry[] = [
  { name: 'home', label: 'Home', href: '/', icon: House, load: () => import('../pages/home/HomePage.svelte') },
  {
    name: 'components',
    label: 'Components',
    href: '/components',
    icon: Boxes,
    load: () => import('../pages/components/ComponentsPage.svelte'),
  },
  {
    name: 'approvals',
    label: 'Approvals',
    href: '/approvals',
    icon: ShieldQuestionMark,
    load: () => import('../pages/approvals/ApprovalsPage.svelte'),
  },
  {
    name: 'activity',
    label: 'Activity',
    href: '/activity',
    icon: Activity,
    load: () => import('../pages/activity/ActivityPage.svelte'),
  },
  {
    name: 'clients',
    label: 'Clients',
    href: '/clients',
    icon: MonitorSmartphone,
    load: () => import('../pages/clients/ClientsPage.svelte'),
  },
  {
    name: 'settings',
    label: 'Settings',
    href: '/settings',
    icon: Settings,
    load: () => import('../pages/settings/SettingsPage.svelte'),
  },
]

/** Those that are reached from others. */
const MORE: PageEntry[] = [
  { name: 'load', label: 'Load', href: '/load', load: () => import('../pages/load/LoadPage.svelte') },
]

export function pageAt(path: readonly string[]): PageEntry | null {
  const name = path[0] ?? 'home'
  if (name === 'home' && path.length > 0) return null
  return [...RAIL, ...MORE].find((page) => page.name === name) ?? null
}

/** Where the rail says that we are. */
export function railName(path: readonly string[]): string {
  const name = path[0] ?? 'home'
  return name === 'load' ? 'components' : name
}
