void guest_main(const char *c); void guest_main(const char *c){(void)c;}
