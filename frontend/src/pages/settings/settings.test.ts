import { describe, expect, it } from 'vitest'

import { directoryName, inWords, KEPT, RUNNING, tokensServed, tokensSet, WAITING, wrong, type Tokens } from './settings'

describe('a number of seconds', () => {
  const [timeout] = WAITING
  const [idle] = RUNNING
  if (!timeout || !idle) throw new Error('they are there')

  it.each([['300'], [' 300 '], ['0.5e3'], ['86400']])('can be %s', (text) => {
    expect(wrong(text, timeout)).toBe(null)
  })
  it.each([[''], ['   '], ['soon'], ['0'], ['-1'], ['86401'], ['Infinity'], ['NaN'], ['3 s']])('cannot be "%s"', (text) => {
    expect(wrong(text, timeout)).not.toBe(null)
  })
  it('may be nothing for what ends when it is unused', () => {
    expect(wrong('0', idle)).toBe(null)
  })

  it.each([
    [20, null],
    [300, '5 minutes'],
    [5400, '1.5 hours'],
    [3600, '1 hour'],
    [31_536_000, '365 days'],
    [NaN, null],
  ])('%s is %s', (value, text) => {
    expect(inWords(value)).toBe(text)
  })
})

describe('how much of the record is kept', () => {
  const [days, megabytes] = KEPT
  if (!days || !megabytes) throw new Error('they are there')

  it.each([['1'], ['7.5'], ['3650']])('can be %s days', (text) => {
    expect(wrong(text, days)).toBe(null)
  })
  it.each([
    ['', 'Write a number of days.'],
    ['a week', 'Write a number of days.'],
    ['0', 'Between 1 and 3,650 days.'],
    ['4000', 'Between 1 and 3,650 days.'],
  ])('cannot be "%s" days', (text, problem) => {
    expect(wrong(text, days)).toBe(problem)
  })
  it('has a size in MB', () => {
    expect(wrong('200', megabytes)).toBe(null)
    expect(wrong('200 MB', megabytes)).toBe('Write a number of MB.')
    expect(wrong('0.5', megabytes)).toBe('Between 1 and 100,000 MB.')
  })
})

describe('tokens for HTTP', () => {
  const none: Tokens = { count: 0, where: null, file: null, problem: null, can_make: true, makes: '/c/tokens', server: null }
  const server = { url: 'http://127.0.0.1:9001', tokens: 0, where: null, later: false }

  it('are said to be there, or not', () => {
    expect(tokensSet(none)).toContain('Every program on this machine')
    expect(tokensSet({ ...none, count: 1, where: 'WASSETTE_TOKEN' })).toBe('1 token, by WASSETTE_TOKEN')
    expect(tokensSet({ ...none, count: 2, where: 'token_file in /c/config.toml' })).toBe(
      '2 tokens, by token_file in /c/config.toml',
    )
  })
  it('are those of the server that runs, too', () => {
    expect(tokensServed(none)).toBe('No server for HTTP is in this host.')
    expect(tokensServed({ ...none, server })).toBe('http://127.0.0.1:9001, without a token')
    expect(tokensServed({ ...none, server: { ...server, tokens: 3, where: '--token-file' } })).toBe(
      'http://127.0.0.1:9001, with 3 tokens, by --token-file',
    )
  })
})

it('calls directories by what is in them', () => {
  expect(directoryName('activity')).toBe('Activity record')
  expect(directoryName('some_thing')).toBe('Some thing')
})
